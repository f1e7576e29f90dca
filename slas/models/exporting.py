"""Files of one's own data, written in the background."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation, User
from couriers.documents import private_storage, random_name
from slas.choices import ExportContent, ExportFormat, ExportState
from slas.querysets import ExportQuerySet


class Export(models.Model):
    """What somebody asked to take away: commitments or cells, as CSV or Parquet, for some days."""

    # Empty for ops, who take everybody's.
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="+")
    requested_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    content = models.CharField(_("content"), max_length=12, choices=ExportContent)
    format = models.CharField(_("format"), max_length=8, choices=ExportFormat)
    # First and last due date, and what else was asked for.
    first = models.DateField(_("from"))
    last = models.DateField(_("to"))
    language = models.CharField(max_length=12)
    state = models.CharField(_("state"), max_length=8, choices=ExportState, default=ExportState.QUEUED)
    rows = models.PositiveBigIntegerField(_("rows"), null=True)
    done = models.PositiveBigIntegerField(_("rows written"), default=0)
    file = models.FileField(
        _("file"), storage=private_storage, upload_to=random_name, max_length=120, blank=True
    )
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    problem = models.CharField(_("problem"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("asked for"), default=timezone.now)
    touched_at = models.DateTimeField(_("last worked on"), default=timezone.now)
    expires_at = models.DateTimeField(_("kept until"))

    objects = models.Manager.from_queryset(ExportQuerySet)()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organisation", "-id"], name="export_by_organisation"),
        ]

    def __str__(self) -> str:
        return f"{self.content} {self.first}–{self.last}"
