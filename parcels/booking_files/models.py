"""Files of bookings."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.file_jobs import UNFINISHED, FileJob
from alliance.models import User
from parcels.booking_files.mappings import ColumnMapping
from parcels.bookings.models import Merchant
from parcels.bookings.querysets import MerchantOwnedQuerySet
from parcels.choices import BookingFileState


class BookingFile(FileJob):
    """A file of bookings that a merchant uploaded, with its progress and the results of its rows.

    `position`, the counters and the sizes change in the transaction that books, so that interrupted
    work resumes where it stopped. `content` is deleted once every row is processed, the results and the
    rows to correct after 30 days; this row stays. While the state is a draft, `content` is a table whose
    columns are to be named; it is deleted after a day, with this row.
    """

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, db_index=False, related_name="booking_files", verbose_name=_("merchant")
    )
    # None for an upload by API key.
    uploaded_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now)
    name = models.CharField(_("name"), max_length=200)
    content = models.FileField(_("file"), upload_to="booking_files/%Y/%m", max_length=300)
    # SHA-256, in hexadecimal: detects a second upload of the same file.
    digest = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(_("size"))
    lines = models.PositiveIntegerField(_("lines"))
    encoding = models.CharField(_("encoding"), max_length=12)
    state = models.CharField(
        _("state"), max_length=9, choices=BookingFileState, default=BookingFileState.QUEUED
    )
    # Bytes and lines of the file that are processed.
    position = models.PositiveBigIntegerField(default=0)
    line = models.PositiveIntegerField(_("lines done"), default=0)
    done = models.PositiveIntegerField(_("rows done"), default=0)
    booked = models.PositiveIntegerField(pgettext_lazy("how many", "booked"), default=0)
    duplicate = models.PositiveIntegerField(_("already booked"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    # How many bytes of the results files are committed; later bytes are discarded.
    results_size = models.PositiveBigIntegerField(default=0)
    problems_size = models.PositiveBigIntegerField(default=0)
    rejected_size = models.PositiveBigIntegerField(default=0)
    # Working time without waits: the basis of the rate and the time left.
    seconds = models.FloatField(_("processing time (s)"), default=0)
    deleted_at = models.DateTimeField(_("files deleted"), null=True, blank=True)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("booking file")
        verbose_name_plural = _("booking files")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="booking_file_state_known", condition=Q(state__in=BookingFileState.values)
            ),
            models.CheckConstraint(
                name="booking_file_counts_add_up",
                condition=Q(done=models.F("booked") + models.F("duplicate") + models.F("rejected")),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A merchant's uploads, newest first.
            models.Index(fields=["merchant", "-id"], name="booking_file_by_merchant"),
            # Was this file uploaded before?
            models.Index(fields=["merchant", "digest"], name="booking_file_by_digest"),
            # Each minute the sweeper asks for those that are due, each night clean-up for old content.
            models.Index(
                fields=["due_at"], condition=Q(state__in=UNFINISHED), name="booking_file_unfinished"
            ),
            models.Index(
                fields=["finished_at"], condition=Q(deleted_at=None), name="booking_file_with_content"
            ),
            # Each night those that nobody booked.
            models.Index(
                fields=["uploaded_at"], condition=Q(state=BookingFileState.DRAFT), name="booking_file_drafts"
            ),
            # Whose is this file on the disk?
            models.Index(fields=["content"], condition=Q(deleted_at=None), name="booking_file_by_content"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> int:
        return self.position

    @property
    def rate(self) -> float | None:
        # Rows per second of working time.
        return self.done / self.seconds if self.done and self.seconds else None

    @property
    def seconds_left(self) -> int | None:
        """How long the rest takes at the current rate."""
        if self.is_finished or not self.line or not self.seconds:
            return None
        return round(self.seconds / self.line * max(self.lines - self.line, 0))


class BookingTemplate(models.Model):
    """How a merchant's files are read that have other columns than ours, and what they do not say."""

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, db_index=False, related_name="booking_templates", verbose_name=_("merchant")
    )
    name = models.CharField(_("name"), max_length=80)
    # Pairs of a name in the file and a column of ours.
    columns = models.JSONField(default=list)
    # What fills our columns where the file has nothing.
    values = models.JSONField(default=dict)
    # Numbers of orders have no zeros at their beginning: a number in a workbook is taken as it is shown.
    takes_numbers = models.BooleanField(default=False)
    # A shop has a row for each article: the rows after an order's first are left out.
    one_row_each = models.BooleanField(default=False)
    # SHA-256 of the file's columns, in hexadecimal: a file with the same ones is offered this template.
    header_key = models.CharField(max_length=64)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("booking template")
        verbose_name_plural = _("booking templates")
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Its index also lists a merchant's templates.
            models.UniqueConstraint(fields=["merchant", "name"], name="booking_template_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def mapping(self) -> ColumnMapping:
        pairs = tuple((str(name), str(target)) for name, target in self.columns)
        return ColumnMapping(pairs, self.values, self.takes_numbers, self.one_row_each)
