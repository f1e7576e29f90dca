"""What is promised and whether it was kept. Knows no parcel: only parcel ids."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from alliance.models import City, Organisation, User
from couriers.models import Courier
from slas.choices import ClosureSide, CommitmentKind, ExcuseReason, Outcome, TierCode
from slas.columns import TallyColumns, dimension
from slas.listings import BreachListing, CommitmentListing
from slas.querysets import (
    BreachQuerySet,
    CommitmentQuerySet,
    JudgedQuerySet,
    OfferQuerySet,
    OnTimeRateQuerySet,
)

# Django looks for models here; these two have their own room.
__all__ = [
    "BreachListing", "Breach", "CapacityDay", "Closure", "Commitment", "CommitmentListing", "Excuse", "Offer",
    "OnTimeRate", "ServiceTier", "Tally", "TierVersion",
]  # fmt: skip


class ServiceTier(models.Model):
    """What a merchant buys: same-day, next-day or standard delivery."""

    id = models.SmallAutoField(primary_key=True)
    code = models.CharField(_("code"), max_length=20, unique=True, choices=TierCode)
    name_en = models.CharField(_("English name"), max_length=60)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    active = models.BooleanField(_("on sale"), default=True)

    class Meta:
        verbose_name = _("service tier")
        verbose_name_plural = _("service tiers")
        ordering: ClassVar[list[str]] = ["position"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_zh if translation.get_language() == "zh-hans" else self.name_en


class TierVersion(models.Model):
    """The rules of a tier from a date on. A change is a new version; commitments keep theirs."""

    tier = models.ForeignKey(ServiceTier, models.PROTECT, related_name="versions", verbose_name=_("tier"))
    number = models.PositiveIntegerField(_("version"))
    valid_from = models.DateTimeField(_("valid from"))
    # {"0": {"time": "18:00", "day_offset": 0}, ...}: Monday is 0; a weekday left out has no service.
    cut_offs = models.JSONField(_("cut-offs by weekday"))
    pickup_by = models.TimeField(_("pickup by"))
    deliver_by = models.TimeField(_("deliver by"))
    days_in_transit = models.PositiveSmallIntegerField(_("days in transit"))
    delivery_weekdays = models.JSONField(_("weekdays delivered"), default=list)
    works_on_holidays = models.BooleanField(_("works on public holidays"), default=True)
    # [{"up_to_g": 1000, "surcharge_fen": 0}, ...]: added to the offer's price.
    weight_bands = models.JSONField(_("price by weight"))

    class Meta:
        verbose_name = _("tier version")
        verbose_name_plural = _("tier versions")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tier", "number"], name="tier_version_number_once"),
            models.UniqueConstraint(fields=["tier", "valid_from"], name="tier_version_start_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tier} v{self.number}"


class Closure(models.Model):
    """A day on which a country, a province or a city does not work: a holiday, a typhoon, a stop."""

    date = models.DateField(_("date"))
    side = models.CharField(_("side"), max_length=12, choices=ClosureSide, default=ClosureSide.BOTH)
    country = models.CharField(_("country"), max_length=2)
    province = models.CharField(_("province"), max_length=120, blank=True)
    city = models.ForeignKey(
        City, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("city")
    )
    name = models.CharField(_("name"), max_length=120)
    is_public_holiday = models.BooleanField(_("public holiday"), default=False)
    announced_at = models.DateTimeField(_("announced"), default=timezone.now)

    class Meta:
        verbose_name = _("closure")
        verbose_name_plural = _("closures")
        ordering: ClassVar[list[str]] = ["-date"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["date", "country", "province", "city", "name"],
                name="closure_declared_once",
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The calendar around a promise.
            models.Index(fields=["date", "country"], name="closure_by_date"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.name}"


class Offer(models.Model):
    """What one courier sells on one lane at one tier: a price and so many parcels a day."""

    courier = models.ForeignKey(Courier, models.PROTECT, related_name="offers", verbose_name=_("courier"))
    tier = models.ForeignKey(ServiceTier, models.PROTECT, related_name="offers", verbose_name=_("tier"))
    origin = models.ForeignKey(City, models.PROTECT, related_name="+", verbose_name=_("from"))
    destination = models.ForeignKey(City, models.PROTECT, related_name="+", verbose_name=_("to"))
    price_fen = models.PositiveIntegerField(_("price (fen)"))
    daily_capacity = models.PositiveIntegerField(_("parcels a day"))
    active = models.BooleanField(_("on sale"), default=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = models.Manager.from_queryset(OfferQuerySet)()

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["courier", "tier", "origin", "destination"], name="offer_once_a_lane_and_tier"
            ),
            models.CheckConstraint(name="offer_price_positive", condition=Q(price_fen__gt=0)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Every quote: who sells this lane?
            models.Index(
                fields=["origin", "destination", "tier"], name="offer_by_lane", condition=Q(active=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.courier} {self.origin}-{self.destination} {self.tier}"


class CapacityDay(models.Model):
    """How many parcels of an offer are reserved for one pickup day, and how many may be."""

    offer = models.ForeignKey(Offer, models.CASCADE, related_name="days")
    courier = dimension(Courier, _("courier"))
    date = models.DateField(_("pickup day"))
    limit = models.PositiveIntegerField(_("limit"))
    reserved = models.PositiveIntegerField(_("reserved"), default=0)

    class Meta:
        verbose_name = _("capacity day")
        verbose_name_plural = _("capacity days")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["offer", "date"], name="capacity_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.offer_id} {self.date}: {self.reserved}/{self.limit}"


class Commitment(models.Model):
    """One promised milestone of one parcel, and whether it was kept.

    Carries every dimension a rate is reported by, so that judging couriers
    never needs a join, or a parcel.
    """

    pk = models.CompositePrimaryKey("parcel_id", "kind")
    parcel_id = models.BigIntegerField()
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    version = dimension(TierVersion, _("rules"), null=True)
    due_at = models.DateTimeField(_("due"))
    # The local date of due_at where it falls due: the cohort of the on-time rate.
    due_date = models.DateField(_("due date"))
    reached_at = models.DateTimeField(_("reached"), null=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome, default=Outcome.PENDING)
    excused = models.BooleanField(_("excused"), default=False)

    objects = models.Manager.from_queryset(CommitmentQuerySet)()

    class Meta:
        verbose_name = _("commitment")
        verbose_name_plural = _("commitments")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="commitment_kind_known", condition=Q(kind__in=CommitmentKind.values)),
            models.CheckConstraint(
                name="commitment_outcome_follows_times",
                condition=(
                    Q(outcome__in=[Outcome.PENDING, Outcome.OVERDUE], reached_at__isnull=True)
                    | Q(outcome=Outcome.MET, reached_at__isnull=False, reached_at__lte=models.F("due_at"))
                    | Q(outcome=Outcome.LATE, reached_at__isnull=False, reached_at__gt=models.F("due_at"))
                    | Q(outcome=Outcome.VOID)
                ),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The sweep: what is pending and past due.
            models.Index(fields=["due_at"], name="commitment_pending", condition=Q(outcome=Outcome.PENDING)),
            # A courier's overdue list.
            models.Index(
                fields=["courier", "due_at"],
                name="commitment_overdue_courier",
                condition=Q(outcome=Outcome.OVERDUE),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.parcel_id} {self.kind}: {self.outcome}"


class Breach(models.Model):
    """A commitment that was not kept. Withdrawn, not deleted, when a late scan proves punctuality."""

    pk = models.CompositePrimaryKey("parcel_id", "kind")
    parcel_id = models.BigIntegerField()
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    due_at = models.DateTimeField(_("due"))
    opened_at = models.DateTimeField(_("opened"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)

    objects = models.Manager.from_queryset(BreachQuerySet)()

    class Meta:
        verbose_name = _("breach")
        verbose_name_plural = _("breaches")
        indexes: ClassVar[list[models.Index]] = [
            # Breach pages: newest first, of one courier or one merchant.
            models.Index(fields=["courier", "-opened_at"], name="breach_by_courier"),
            models.Index(fields=["merchant", "-opened_at"], name="breach_by_merchant"),
        ]

    def __str__(self) -> str:
        return f"{self.parcel_id} {self.kind}"


class Excuse(models.Model):
    """A decision that a breach was not the courier's fault: the accountable rate leaves it out."""

    parcel_id = models.BigIntegerField()
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    reason = models.CharField(_("reason"), max_length=32, choices=ExcuseReason)
    note = models.TextField(_("note"), blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided"), default=timezone.now)

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("excuse")
        verbose_name_plural = _("excuses")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["parcel_id", "kind"], name="excuse_once_a_breach"),
        ]

    def __str__(self) -> str:
        return f"{self.parcel_id} {self.kind}: {self.reason}"


class Tally(TallyColumns):
    """A change of outcomes waiting to be folded into the on-time rates, then consumed."""

    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    kind = models.CharField(max_length=10, choices=CommitmentKind)
    due_date = models.DateField()

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")

    def __str__(self) -> str:
        return f"{self.courier_id} {self.due_date}"


class OnTimeRate(TallyColumns):
    """Counts of outcomes in one cell: a courier's lane, or a merchant's courier, on one due date.

    A courier's cell names origin and destination and no counterpart; a merchant's names the
    courier as counterpart and no lane. A lane's on-time rate is what quotes show.
    """

    organisation = dimension(Organisation, _("organisation"))
    counterpart = dimension(Courier, _("courier"), null=True)
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"), null=True)
    destination = dimension(City, _("to"), null=True)
    due_date = models.DateField(_("due date"))

    objects = models.Manager.from_queryset(OnTimeRateQuerySet)()

    class Meta:
        verbose_name = _("on-time rate")
        verbose_name_plural = _("on-time rates")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation", "due_date", "kind", "tier", "counterpart", "origin", "destination"],
                name="on_time_rate_cell",
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A quote: how has each courier done on this lane?
            models.Index(
                fields=["origin", "destination", "tier", "due_date"],
                name="on_time_rate_by_lane",
                condition=Q(counterpart__isnull=True),
            ),
            # Ops' dashboard: all couriers, the last 30 days.
            models.Index(fields=["due_date", "kind"], name="on_time_rate_by_date"),
            # Overdue now, of all days: few cells have any.
            models.Index(
                fields=["organisation", "kind"], name="on_time_rate_overdue", condition=Q(overdue__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.due_date}"
