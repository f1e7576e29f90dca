"""Freight: what merchants owe couriers, by day while a month is open and by month once it is closed."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation, User
from couriers.models import Courier
from slas.columns import dimension
from slas.commitments.querysets import JudgedQuerySet
from slas.promises.models import ServiceTier
from slas.promises.prices import yuan


class FreightSum(models.Model):
    """What one merchant's parcels of one courier and tier add up to on a day: booked, and cancelled.

    Counted from the parcels, and counted again until an hour after the day is over.
    """

    day = models.DateField(_("day"))
    # The first day of its month.
    month = models.DateField(_("month"))
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    booked_count = models.IntegerField(_("booked"))
    fees_fen = models.BigIntegerField(_("fees (fen)"))
    cancelled_count = models.IntegerField(_("cancelled"))
    cancelled_fen = models.BigIntegerField(_("fees of cancelled parcels (fen)"))

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("sum of freight")
        verbose_name_plural = _("sums of freight")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["courier", "day", "merchant", "tier"], name="freight_sum_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["merchant", "month", "courier"], name="freight_sum_by_merchant"),
            models.Index(fields=["courier", "month", "merchant"], name="freight_sum_by_courier"),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {yuan(self.fees_fen - self.cancelled_fen)}"


class FreightDay(models.Model):
    """When the freight of a day was last counted, of all couriers."""

    day = models.DateField(_("day"), primary_key=True)
    counted_at = models.DateTimeField(_("counted"))

    class Meta:
        verbose_name = _("counted day")
        verbose_name_plural = _("counted days")

    def __str__(self) -> str:
        return f"{self.day}"


class FreightMonth(models.Model):
    """A month of which the freight is final."""

    month = models.DateField(_("month"), primary_key=True)
    closed_at = models.DateTimeField(_("closed"), default=timezone.now)

    class Meta:
        verbose_name = _("closed month of freight")
        verbose_name_plural = _("closed months of freight")

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class Surcharge(models.Model):
    """What a courier adds to a merchant's month, or takes off it. Never changed: one takes back another."""

    month = models.DateField(_("month"))
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    amount_fen = models.IntegerField(_("amount (fen)"))
    reason = models.CharField(_("reason"), max_length=200)
    parcel_number = models.CharField(_("parcel"), max_length=20, blank=True)
    # The surcharge that this one takes back, with the opposite amount.
    withdraws = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="withdrawn_by", verbose_name=_("withdraws")
    )
    entered_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("entered by")
    )
    entered_at = models.DateTimeField(_("entered"), default=timezone.now)

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("surcharge")
        verbose_name_plural = _("surcharges")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="surcharge_moves_something", condition=~Q(amount_fen=0)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["merchant", "month", "courier"], name="surcharge_by_merchant"),
            models.Index(fields=["courier", "month", "merchant"], name="surcharge_by_courier"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.amount}"

    @property
    def amount(self) -> str:
        return yuan(self.amount_fen)

    @property
    def withdrawn_by_id(self) -> int | None:
        """The surcharge that takes this one back; read it with select_related("withdrawn_by")."""
        withdrawal: Surcharge | None = getattr(self, "withdrawn_by", None)
        return None if withdrawal is None else withdrawal.pk


class FreightStatement(models.Model):
    """A final month of one merchant with one courier, and whether it is settled."""

    month = models.DateField(_("month"))
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    booked_count = models.IntegerField(_("booked"))
    fees_fen = models.BigIntegerField(_("fees (fen)"))
    cancelled_count = models.IntegerField(_("cancelled"))
    cancelled_fen = models.BigIntegerField(_("fees of cancelled parcels (fen)"))
    surcharges_fen = models.BigIntegerField(_("surcharges (fen)"))
    credits_fen = models.BigIntegerField(_("credits (fen)"))
    # The day of the payment, as who received it says.
    settled_on = models.DateField(_("settled on"), null=True)
    settled_reference = models.CharField(_("reference of the payment"), max_length=80, blank=True)
    settled_note = models.CharField(_("note"), max_length=200, blank=True)
    settled_at = models.DateTimeField(_("marked as settled"), null=True)

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("freight statement")
        verbose_name_plural = _("freight statements")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["merchant", "month", "courier"], name="freight_statement_once_a_month"
            ),
            models.CheckConstraint(
                name="freight_statement_settled_whole",
                condition=Q(settled_on=None, settled_at=None)
                | Q(settled_on__isnull=False, settled_at__isnull=False),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["courier", "month", "merchant"], name="freight_statement_by_courier"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
