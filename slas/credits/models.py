"""Credits for lateness and loss: schedules, entries, statements, closed months."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.identifiers import tracking_number
from alliance.models import Organisation, User
from couriers.models import Courier
from slas.choices import CommitmentKind, CreditCause
from slas.columns import dimension
from slas.commitments.querysets import JudgedQuerySet
from slas.credits.querysets import StatementQuerySet
from slas.promises.models import ServiceTier
from slas.promises.prices import yuan


class CreditSchedule(models.Model):
    """The credits for late and lost parcels of a tier, from a date on. A change is a new version."""

    tier = models.ForeignKey(
        ServiceTier, models.PROTECT, related_name="credit_schedules", verbose_name=_("tier")
    )
    number = models.PositiveIntegerField(_("version"))
    valid_from = models.DateTimeField(_("valid from"))
    # [{"late_by_minutes": 0, "share_percent": 20}, ...]: the last band reached counts.
    bands = models.JSONField(_("share of the fee by lateness"))
    cap_fen = models.PositiveIntegerField(_("at most (fen)"))
    lost_fen = models.PositiveIntegerField(_("for a lost parcel (fen)"))

    class Meta:
        verbose_name = _("credit schedule")
        verbose_name_plural = _("credit schedules")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tier", "number"], name="credit_schedule_number_once"),
            models.UniqueConstraint(fields=["tier", "valid_from"], name="credit_schedule_start_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tier} v{self.number}"


class CreditCheck(models.Model):
    """A commitment whose credit must be computed again; deleted by the task that does so."""

    # The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    parcel_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("credit to calculate")
        verbose_name_plural = _("credits to calculate")

    def __str__(self) -> str:
        return f"{tracking_number(self.parcel_id)} {self.get_kind_display()}"


class CreditEntry(models.Model):
    """One line of the ledger. The sum over a commitment is its current credit.

    Append-only, enforced by the database: errors are corrected by another entry.
    """

    # The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    id = models.BigAutoField(primary_key=True)
    parcel_id = models.BigIntegerField(_("parcel"))
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    schedule = dimension(CreditSchedule, _("schedule"))
    # Positive: from courier to merchant. Negative: taken back.
    amount_fen = models.IntegerField(_("amount (fen)"))
    cause = models.CharField(_("cause"), max_length=12, choices=CreditCause)
    # The lateness the amount was computed from, in seconds.
    late_by = models.IntegerField(_("late by (s)"), null=True)
    # The delivery at that time, so that a final statement never changes.
    due_at = models.DateTimeField(_("promised"))
    reached_at = models.DateTimeField(_("reached"), null=True)
    at = models.DateTimeField(_("recorded"), default=timezone.now)
    # The first day of the statement's month: that of `at`, or the first open one after it.
    month = models.DateField(_("statement"))

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("credit entry")
        verbose_name_plural = _("credit entries")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="credit_entry_moves_something", condition=~Q(amount_fen=0)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["merchant", "month", "id"], name="credit_entry_by_merchant"),
            models.Index(fields=["courier", "month", "id"], name="credit_entry_by_courier"),
            models.Index(fields=["parcel_id", "kind"], name="credit_entry_by_parcel"),
            models.Index(fields=["month"], name="credit_entry_by_month"),
        ]

    def __str__(self) -> str:
        return f"{tracking_number(self.parcel_id)} {self.get_kind_display()}: {yuan(self.amount_fen)}"

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


class CreditSum(models.Model):
    """What the entries of one merchant, courier, tier and cause add up to in a month.

    The batch that writes entries adds them here, where statements are read: on a cluster the ledger is
    divided by parcel, and adding up a month would ask all shards.
    """

    month = models.DateField(_("statement"))
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    cause = models.CharField(_("cause"), max_length=12, choices=CreditCause)
    entry_count = models.IntegerField(_("entries"))
    credited_fen = models.BigIntegerField(_("credited (fen)"))
    # Not positive.
    taken_back_fen = models.BigIntegerField(_("taken back (fen)"))

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("sum of credits")
        verbose_name_plural = _("sums of credits")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["merchant", "month", "courier", "tier", "cause"], name="credit_sum_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["courier", "month"], name="credit_sum_by_courier"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.cause}: {yuan(self.credited_fen + self.taken_back_fen)}"


class CreditFold(models.Model):
    """How far the ledger is added up in the sums. One row."""

    # The months that the sums have: those open when there were none yet, and all after.
    since = models.DateField(_("added up from"))
    # Ids of entries are in the order of their commits.
    last_id = models.BigIntegerField(_("added up to entry"), default=0)
    # Once everything from before the sums is in them.
    is_complete = models.BooleanField(_("all added up"), default=False)

    class Meta:
        verbose_name = _("state of the sums of credits")
        verbose_name_plural = _("states of the sums of credits")

    def __str__(self) -> str:
        return f"{self.since:%Y-%m}: {self.last_id}"


class Statement(models.Model):
    """A closed month of one organisation, with the sum of its entries."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="+", verbose_name=_("organisation")
    )
    month = models.DateField(_("month"))
    entries = models.PositiveIntegerField(_("entries"))
    # Credited minus taken back; a merchant receives it, a courier owes it.
    total_fen = models.BigIntegerField(_("total (fen)"))
    closed_at = models.DateTimeField(_("closed"), default=timezone.now)

    objects = models.Manager.from_queryset(StatementQuerySet)()

    class Meta:
        verbose_name = _("statement")
        verbose_name_plural = _("statements")
        ordering: ClassVar[list[str]] = ["-month", "organisation"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organisation", "month"], name="statement_once_a_month"),
        ]

    def __str__(self) -> str:
        return f"{self.organisation} {self.month:%Y-%m}"


class ClosedMonth(models.Model):
    """A month whose statements are final: later entries go into the next open month."""

    month = models.DateField(_("month"), primary_key=True)
    closed_at = models.DateTimeField(_("closed"), default=timezone.now)
    closed_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("closed by")
    )

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        ordering: ClassVar[list[str]] = ["-month"]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
