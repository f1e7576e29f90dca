"""Commitments, and breaches of them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.identifiers import tracking_number
from alliance.models import City, Organisation
from couriers.models import Courier
from slas.choices import CommitmentKind, ExcuseReason, Outcome
from slas.columns import dimension
from slas.commitments.querysets import BreachQuerySet, CommitmentQuerySet
from slas.promises.models import ServiceTier, TierVersion


class Commitment(models.Model):
    """One promised milestone of one parcel, and whether it was kept.

    Carries every dimension that rates are grouped by, so that judging couriers needs no join and no parcel.
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
    # The date of due_at at the place where it falls due: the cohort of the on-time rate.
    due_date = models.DateField(_("due date"))
    # The latest revision, whoever requested it; only the recipient's requests move due_at.
    revised_due_at = models.DateTimeField(_("revised to"), null=True)
    reached_at = models.DateTimeField(_("reached"), null=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome, default=Outcome.PENDING)
    excused = models.BooleanField(_("exempt"), default=False)
    excuse_reason = models.CharField(_("exempt for"), max_length=32, choices=ExcuseReason, blank=True)
    # Credits are a share of it; deliveries only.
    fee_fen = models.IntegerField(_("fee (fen)"), null=True)
    # What a lost parcel is credited with instead of the schedule's amount; deliveries only.
    declared_value_fen = models.IntegerField(_("declared value (fen)"), null=True)
    ready_at = models.DateTimeField(_("ready"), null=True)
    # A delivery's journey: the first time of each stage, the first attempt of any kind, the end.
    # First-attempt success, 48- and 72-hour rate and the histograms are counted from these.
    picked_up_at = models.DateTimeField(_("picked up"), null=True)
    departed_at = models.DateTimeField(_("departed"), null=True)
    arrived_at = models.DateTimeField(_("arrived"), null=True)
    out_for_delivery_at = models.DateTimeField(_("out for delivery"), null=True)
    attempted_at = models.DateTimeField(_("first attempt"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    # When its way back to the sender began.
    turned_at = models.DateTimeField(_("turned back"), null=True)
    lost_at = models.DateTimeField(_("lost"), null=True)

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
            # The sweep reads pending commitments past due.
            models.Index(fields=["due_at"], name="commitment_pending", condition=Q(outcome=Outcome.PENDING)),
            # A courier's overdue list.
            models.Index(
                fields=["courier", "due_at"],
                name="commitment_overdue_courier",
                condition=Q(outcome=Outcome.OVERDUE),
            ),
            # Tracing reads deliveries attempted but not arrived, and those presumed lost.
            models.Index(
                fields=["parcel_id"],
                name="commitment_attempted",
                condition=Q(
                    kind=CommitmentKind.DELIVERY,
                    outcome__in=[Outcome.MET, Outcome.LATE],
                    delivered_at__isnull=True,
                ),
            ),
            models.Index(fields=["parcel_id"], name="commitment_lost", condition=Q(lost_at__isnull=False)),
            # What is overdue and will not come.
            models.Index(
                fields=["parcel_id"],
                name="commitment_turned",
                condition=Q(outcome=Outcome.OVERDUE, turned_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{tracking_number(self.parcel_id)} {self.get_kind_display()}: {self.get_outcome_display()}"


class Breach(models.Model):
    """A commitment that was not kept. Withdrawn, not deleted, when a scan that arrives later proves it
    punctual."""

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
        return f"{tracking_number(self.parcel_id)} {self.get_kind_display()}"
