"""Export files of an organisation's data, written in the background."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.file_jobs import FileJob
from alliance.models import Organisation, User
from couriers.documents.files import private_storage
from slas.choices import ExportContent, ExportFormat, ExportState
from slas.exports.querysets import ExportQuerySet


def export_name(instance: "Export", filename: str) -> str:
    """Return the path of a file: in a folder of its own, whose name cannot be guessed."""
    name = uuid.uuid4().hex
    return f"exports/{name[:2]}/{name}/{filename}"


class Export(FileJob):
    """A requested export: commitments or cells, as CSV or Parquet, kept for some days.

    Written in slices. `position`, `parts` and `done` change in one transaction after each slice, so that an
    interrupted export continues where it stopped, and no row is written twice.
    """

    # NULL for ops, who export all data. Its index is the one that files are listed by.
    organisation = models.ForeignKey(
        Organisation,
        models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("organisation"),
    )
    requested_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("requested by")
    )
    label = models.CharField(_("by"), max_length=160, blank=True)
    content = models.CharField(_("content"), max_length=12, choices=ExportContent)
    format = models.CharField(_("format"), max_length=8, choices=ExportFormat)
    # First and last due date, both included.
    first = models.DateField(pgettext_lazy("beginning", "from"))
    last = models.DateField(pgettext_lazy("end", "to"))
    # Whether the requester may see fees; the file then has them.
    with_fees = models.BooleanField(_("with fees"), default=False)
    state = models.CharField(_("state"), max_length=8, choices=ExportState, default=ExportState.QUEUED)
    # The estimated number of rows while it is written, for the progress bar.
    rows = models.PositiveBigIntegerField(_("rows"), null=True)
    done = models.PositiveBigIntegerField(_("rows written"), default=0)
    # The key of the last row written, and the number of parts stored beside the file.
    position = models.CharField(max_length=64, blank=True)
    parts = models.PositiveIntegerField(default=0)
    # Named when requested, stored when done; empty when deleted.
    file = models.FileField(
        _("file"), storage=private_storage, upload_to=export_name, max_length=160, blank=True
    )
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    created_at = models.DateTimeField(_("requested at"), default=timezone.now)
    expires_at = models.DateTimeField(_("kept until"))

    objects = models.Manager.from_queryset(ExportQuerySet)()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="export_state_known", condition=Q(state__in=ExportState.values)),
            models.CheckConstraint(name="export_period_ordered", condition=Q(first__lte=models.F("last"))),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Lists an organisation's files, newest first.
            models.Index(fields=["organisation", "-id"], name="export_by_organisation"),
            # The periodic task reads files being written and files that have expired.
            models.Index(
                fields=["state", "due_at"],
                name="export_unfinished",
                condition=~Q(file=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_content_display()} {self.first}–{self.last}"

    @property
    def place(self) -> tuple[str, int]:
        return self.position, self.parts
