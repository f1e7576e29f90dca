"""What moves: merchants, parcels and their scans."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.file_jobs import FileJob
from alliance.identifiers import tracking_number
from alliance.models import City, Organisation, User
from alliance.tenancy import TenantQuerySet
from couriers.models import Courier
from parcels.choices import BookingFileState, FileState, ParcelSource, ParcelStatus, ScanCode
from parcels.querysets import (
    CourierOwnedQuerySet,
    MerchantOwnedQuerySet,
    MovedQuerySet,
    ParcelQuerySet,
)
from slas.columns import dimension
from slas.models import Offer, ServiceTier, TierVersion


class Merchant(models.Model):
    """A company that sends parcels."""

    organisation = models.OneToOneField(
        Organisation,
        models.PROTECT,
        primary_key=True,
        related_name="merchant",
        verbose_name=_("organisation"),
    )
    contact_name = models.CharField(_("contact"), max_length=120, blank=True)
    contact_phone = models.CharField(_("phone"), max_length=40, blank=True)

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        verbose_name = _("merchant")
        verbose_name_plural = _("merchants")

    def __str__(self) -> str:
        return self.organisation.name


class PickupAddress(models.Model):
    """Where a merchant's parcels are picked up."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="pickup_addresses")
    name = models.CharField(_("name"), max_length=80)
    city = models.ForeignKey(City, models.PROTECT, related_name="+", verbose_name=_("city"))
    address = models.CharField(_("address"), max_length=300)
    contact_name = models.CharField(_("contact"), max_length=120)
    contact_phone = models.CharField(_("phone"), max_length=40)
    is_default = models.BooleanField(_("default"), default=False)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("pickup address")
        verbose_name_plural = _("pickup addresses")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["merchant"], condition=Q(is_default=True), name="pickup_address_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Parcel(models.Model):
    """One parcel from booking to its end. Its id is its tracking number.

    The promise is frozen at booking; status is a fold over the scans' own times, whatever
    order they arrived in.
    """

    id = models.BigIntegerField(primary_key=True)
    merchant = dimension(Merchant, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    offer = dimension(Offer, _("offer"), null=True)
    version = dimension(TierVersion, _("rules"), null=True)
    pickup_address = dimension(PickupAddress, _("pickup address"), null=True)
    source = models.CharField(_("source"), max_length=8, choices=ParcelSource)
    # Compared bytewise, so that a prefix is a range of the index (and leakproof under policies).
    reference = models.CharField(_("reference"), max_length=64, blank=True, db_collation="C")
    recipient_name = models.CharField(_("recipient"), max_length=120, blank=True)
    recipient_phone = models.CharField(_("recipient's phone"), max_length=40, blank=True)
    recipient_address = models.CharField(_("recipient's address"), max_length=300, blank=True)
    weight_g = models.PositiveIntegerField(_("weight (g)"), null=True)
    fee_fen = models.PositiveIntegerField(_("fee (fen)"), null=True)

    booked_at = models.DateTimeField(_("booked"))
    ready_at = models.DateTimeField(_("ready"))
    # The day of the reserved capacity: the pickup day at the origin.
    pickup_date = models.DateField(_("pickup day"), null=True)
    pickup_by = models.DateTimeField(_("pickup by"), null=True)
    deliver_by = models.DateTimeField(_("deliver by"))

    status = models.CharField(_("status"), max_length=20, choices=ParcelStatus, default=ParcelStatus.BOOKED)
    # When the scan that decides the status happened; booked_at before the first one.
    status_at = models.DateTimeField(_("status since"))
    last_scan_at = models.DateTimeField(_("last scan"), null=True)
    # The first movement. With it a batch need not ask the pickup commitments of parcels on the road.
    picked_up_at = models.DateTimeField(_("picked up"), null=True)
    # When each further stage was first seen: what a forecast starts from.
    departed_at = models.DateTimeField(_("departed"), null=True)
    arrived_at = models.DateTimeField(_("arrived"), null=True)
    out_for_delivery_at = models.DateTimeField(_("out for delivery"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True)
    # A scan of this parcel was withdrawn: the next fold must read all of them again.
    corrected = models.BooleanField(default=False)
    # When its recipient's data were erased; see parcels.services.erasing.
    erased_at = models.DateTimeField(_("recipient erased"), null=True)

    objects = models.Manager.from_queryset(ParcelQuerySet)()

    class Meta:
        verbose_name = _("parcel")
        verbose_name_plural = _("parcels")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="parcel_status_known", condition=Q(status__in=ParcelStatus.values)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The parcel lists: newest first, of one merchant or one courier.
            models.Index(fields=["merchant", "-id"], name="parcel_by_merchant"),
            models.Index(fields=["courier", "-id"], name="parcel_by_courier"),
            # A merchant's search by its own reference, whole or its beginning; others begin theirs alike.
            models.Index(
                fields=["merchant", "reference"],
                name="parcel_by_own_reference",
                condition=~Q(reference=""),
            ),
            # A courier's search, the same; and ops', who look under every courier in turn.
            models.Index(
                fields=["courier", "reference"],
                name="parcel_by_courier_reference",
                condition=~Q(reference=""),
            ),
            # Whose recipients are to be erased, the oldest first. Ids grow: a booking adds to its last page.
            models.Index(fields=["id"], name="parcel_unerased", condition=Q(erased_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """The tracking number."""
        return tracking_number(self.id)


class Scan(models.Model):
    """One tracking event a courier sent. Append-only; a correction withdraws, nothing deletes."""

    pk = models.CompositePrimaryKey("parcel_id", "event_key")
    parcel_id = models.BigIntegerField()
    # 64-bit hash of the sender's event id, or of code, time and facility: sending again is safe.
    event_key = models.BigIntegerField()
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    code = models.CharField(_("code"), max_length=20, choices=ScanCode)
    occurred_at = models.DateTimeField(_("occurred"))
    received_at = models.DateTimeField(_("received"))
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    facility = models.CharField(_("facility"), max_length=64, blank=True)
    event_id = models.CharField(_("event id"), max_length=64, blank=True)
    # The recipient agreed to a locker or station drop.
    consent = models.BooleanField(_("consent"), default=False)
    # Of a correction: the event it withdraws.
    corrects = models.BigIntegerField(null=True)

    objects = models.Manager.from_queryset(MovedQuerySet)()

    class Meta:
        verbose_name = _("scan")
        verbose_name_plural = _("scans")
        indexes: ClassVar[list[models.Index]] = [
            # The watch list: what was last seen a day ago? Scans are only ever added, so a summary of
            # each 4 MB finds them, and costs a scan next to nothing.
            BrinIndex(
                fields=["occurred_at", "received_at"],
                name="scan_by_time",
                autosummarize=True,
                pages_per_range=512,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.occurred_at:%Y-%m-%d %H:%M}"


class RecipientProof(models.Model):
    """How often somebody failed, lately, to prove being a parcel's recipient.

    In the database and not in the cache: who guesses must not win by waiting for it to be emptied.
    """

    parcel_id = models.BigIntegerField(primary_key=True)
    merchant = dimension(Organisation, _("merchant"))
    failed = models.PositiveSmallIntegerField(_("failed attempts"), default=0)
    # The first of them; a day later they are forgotten.
    since = models.DateTimeField(_("since"), default=timezone.now)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("recipient's proof")
        verbose_name_plural = _("recipients' proofs")

    def __str__(self) -> str:
        return f"{self.parcel_id}: {self.failed}"


class ScanFile(FileJob):
    """A CSV of scans that a courier uploaded, how far it is, and what became of its rows.

    The counters and `results_size` change in the transaction that writes the scans, so work that
    was cut off goes on where it stopped.
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
    duplicate = models.PositiveIntegerField(_("already known"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    # How much of the results file is for good; what lies behind it was never committed.
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
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> int:
        return self.done


class BookingFile(FileJob):
    """A CSV of bookings that a merchant uploaded, how far it is, and what became of its rows.

    `position`, the counters and the sizes change in the transaction that books, so work that was cut
    off goes on where it stopped. `content` is deleted once all is booked, the results and the rows to
    correct after a while; this row stays.
    """

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, db_index=False, related_name="booking_files", verbose_name=_("merchant")
    )
    # None: by API key.
    uploaded_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now)
    name = models.CharField(_("name"), max_length=200)
    content = models.FileField(_("file"), upload_to="booking_files/%Y/%m", max_length=300)
    # SHA-256, in hexadecimal: the same file again is noticed.
    digest = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(_("size"))
    lines = models.PositiveIntegerField(_("lines"))
    encoding = models.CharField(_("encoding"), max_length=12)
    state = models.CharField(
        _("state"), max_length=9, choices=BookingFileState, default=BookingFileState.QUEUED
    )
    # Bytes and lines of the file that are done with.
    position = models.PositiveBigIntegerField(default=0)
    line = models.PositiveIntegerField(_("lines done"), default=0)
    done = models.PositiveIntegerField(_("rows done"), default=0)
    booked = models.PositiveIntegerField(pgettext_lazy("how many", "booked"), default=0)
    duplicate = models.PositiveIntegerField(_("booked before"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    # How much of the results files is for good; what lies behind was never committed.
    results_size = models.PositiveBigIntegerField(default=0)
    problems_size = models.PositiveBigIntegerField(default=0)
    rejected_size = models.PositiveBigIntegerField(default=0)
    # Time worked, waits left out: what the rate and the time left are made of.
    seconds = models.FloatField(_("seconds worked"), default=0)
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
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> int:
        return self.position

    @property
    def rate(self) -> float | None:
        """Rows a second while it was worked on."""
        return self.done / self.seconds if self.done and self.seconds else None

    @property
    def seconds_left(self) -> int | None:
        """How long the rest takes at the rate so far."""
        if self.is_finished or not self.line or not self.seconds:
            return None
        return round(self.seconds / self.line * max(self.lines - self.line, 0))
