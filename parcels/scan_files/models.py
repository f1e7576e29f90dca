"""Files of scans."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.file_jobs import UNFINISHED, FileJob
from alliance.models import User
from couriers.models import Courier
from parcels.choices import FileState
from parcels.scan_files.querysets import CourierOwnedQuerySet


class ScanFile(FileJob):
    """A CSV of scans that a courier uploaded, with its progress and the results of its rows.

    The counters and `results_size` change in the transaction that writes the scans, so that
    interrupted work resumes where it stopped.
    """

    courier = models.ForeignKey(Courier, models.PROTECT, related_name="scan_files", verbose_name=_("courier"))
    uploaded_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now)
    name = models.CharField(_("name"), max_length=200)
    content = models.FileField(_("file"), upload_to="scan_files/%Y/%m")
    encoding = models.CharField(_("encoding"), max_length=12)
    state = models.CharField(_("state"), max_length=8, choices=FileState, default=FileState.QUEUED)
    rows = models.PositiveIntegerField(_("rows"))
    done = models.PositiveIntegerField(_("rows done"), default=0)
    accepted = models.PositiveIntegerField(_("accepted"), default=0)
    duplicate = models.PositiveIntegerField(_("duplicates"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    # How many bytes of the results file are committed; later bytes are discarded.
    results_size = models.PositiveBigIntegerField(default=0)

    objects = models.Manager.from_queryset(CourierOwnedQuerySet)()

    class Meta:
        verbose_name = _("scan file")
        verbose_name_plural = _("scan files")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="scan_file_state_known", condition=Q(state__in=FileState.values)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A courier's uploads, newest first.
            models.Index(fields=["courier", "-id"], name="scan_file_by_courier"),
            # Each minute the sweeper asks for those that are due.
            models.Index(fields=["due_at"], condition=Q(state__in=UNFINISHED), name="scan_file_unfinished"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> int:
        return self.done
