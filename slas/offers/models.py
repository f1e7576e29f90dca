"""Offers of couriers, and their capacity per day."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.models import City
from couriers.models import Courier
from slas.columns import dimension
from slas.offers.querysets import OfferQuerySet
from slas.promises.models import ServiceTier


class Offer(models.Model):
    """A courier's offer on one lane at one tier: a price and a daily capacity."""

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
            # Every quote reads the offers of a lane.
            models.Index(
                fields=["origin", "destination", "tier"], name="offer_by_lane", condition=Q(active=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.courier} {self.origin}-{self.destination} {self.tier}"


class CapacityDay(models.Model):
    """The number of parcels reserved for one pickup day of an offer, and its limit."""

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
