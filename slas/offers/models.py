"""Offers of couriers, and their capacity per day."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.file_jobs import FileJob
from alliance.models import City, User
from couriers.models import Courier
from slas.choices import OfferFileState
from slas.columns import dimension
from slas.offers.querysets import OfferFileQuerySet, OfferQuerySet
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
        return f"{self.courier}: {self.origin} → {self.destination}, {self.tier}"


class OfferFile(FileJob):
    """A CSV of offers that a courier uploaded: first checked, without changing anything, then saved.

    The counters and the sizes change in the transaction that saves, so that interrupted work resumes where it
    stopped. They count the changes to come while the file is checked, and those made while it is saved.
    """

    courier = models.ForeignKey(
        Courier, models.PROTECT, db_index=False, related_name="offer_files", verbose_name=_("courier")
    )
    uploaded_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now)
    name = models.CharField(_("name"), max_length=200)
    content = models.FileField(_("file"), upload_to="offer_files/%Y/%m", max_length=300)
    encoding = models.CharField(_("encoding"), max_length=12)
    state = models.CharField(_("state"), max_length=8, choices=OfferFileState, default=OfferFileState.QUEUED)
    # False while it is checked only.
    saves = models.BooleanField(_("being saved"), default=False)
    rows = models.PositiveIntegerField(_("rows"))
    done = models.PositiveIntegerField(_("rows done"), default=0)
    created = models.PositiveIntegerField(_("offers added"), default=0)
    changed = models.PositiveIntegerField(_("offers changed"), default=0)
    unchanged = models.PositiveIntegerField(_("offers unchanged"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    # How many bytes of the results files are committed; later bytes are discarded.
    results_size = models.PositiveBigIntegerField(default=0)
    rejected_size = models.PositiveBigIntegerField(default=0)
    deleted_at = models.DateTimeField(_("files deleted"), null=True, blank=True)

    objects = models.Manager.from_queryset(OfferFileQuerySet)()

    class Meta:
        verbose_name = _("offer file")
        verbose_name_plural = _("offer files")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="offer_file_state_known", condition=Q(state__in=OfferFileState.values)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A courier's uploads, newest first.
            models.Index(fields=["courier", "-id"], name="offer_file_by_courier"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> tuple[bool, int]:
        return self.saves, self.done


class CapacityDay(models.Model):
    """The number of parcels reserved for one pickup day of an offer, and its limit."""

    offer = models.ForeignKey(Offer, models.CASCADE, related_name="days", verbose_name=_("offer"))
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
        return f"{self.offer}, {self.date}: {self.reserved}/{self.limit}"
