"""Progress of past deliveries, which forecasts are made from, and the watch list."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from alliance.identifiers import tracking_number
from alliance.models import City, Organisation
from couriers.models import Courier
from slas.choices import Stage, WatchReason
from slas.columns import dimension
from slas.forecasts.querysets import WatchItemQuerySet
from slas.promises.models import ServiceTier


class ProgressColumns(models.Model):
    """The courier, lane, tier and due day that deliveries are counted by."""

    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    due_date = models.DateField(_("due date"))

    class Meta:
        abstract = True


class ProgressTally(ProgressColumns):
    """Progress marks of deliveries (slas/commitments/landmarks.py) waiting to be folded; deleted when
    folded. Placed as a Tally is."""

    # The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    parcel_id = models.BigIntegerField(db_default=0)
    marks = ArrayField(models.IntegerField())

    class Meta:
        verbose_name = _("progress tally")
        verbose_name_plural = _("progress tallies")

    def __str__(self) -> str:
        return f"{self.courier_id} {self.due_date}"


class Progress(ProgressColumns):
    """A histogram of how early or late deliveries were, by how far they had come before.

    Stored as two arrays, the marks and their counts: a hundredth of the space of a row per bin.
    """

    pk = models.CompositePrimaryKey("courier_id", "due_date", "tier_id", "origin_id", "destination_id")
    marks = ArrayField(models.IntegerField())
    counts = ArrayField(models.IntegerField())

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        indexes: ClassVar[list[models.Index]] = [
            # Forecasts read the parcels of a lane.
            models.Index(fields=["origin", "destination", "tier", "due_date"], name="progress_by_lane"),
        ]

    def __str__(self) -> str:
        return f"{self.courier_id} {self.due_date}"


class WatchItem(models.Model):
    """One reason to watch one parcel. All rows are recomputed every few minutes."""

    # The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    parcel_id = models.BigIntegerField(_("parcel"))
    reason = models.CharField(_("reason"), max_length=20, choices=WatchReason)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    due_at = models.DateTimeField(_("due"))
    stage = models.CharField(_("last seen"), max_length=20, choices=Stage)
    stage_at = models.DateTimeField(_("since"))
    # The chance of missing the promise, 0 to 1; 1 once it is missed.
    chance = models.FloatField(_("chance of being late"))
    p50_at = models.DateTimeField(_("expected"), null=True)
    p90_at = models.DateTimeField(_("latest expected"), null=True)
    # Held, damaged or after a failed attempt: listed first, whatever the forecast would be.
    is_in_trouble = models.BooleanField(_("in trouble"), default=False)
    refreshed_at = models.DateTimeField(_("calculated"))

    objects = models.Manager.from_queryset(WatchItemQuerySet)()

    class Meta:
        verbose_name = _("parcel to watch")
        verbose_name_plural = _("parcels to watch")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["parcel_id", "reason"], name="watch_item_once_a_reason"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["courier", "due_at"], name="watch_item_by_courier"),
            models.Index(fields=["merchant", "due_at"], name="watch_item_by_merchant"),
            models.Index(fields=["due_at"], name="watch_item_by_due"),
            # The list of ops, in its order.
            models.Index(
                models.F("is_in_trouble").desc(),
                "due_at",
                models.F("id").desc(),
                name="watch_item_by_trouble",
            ),
        ]

    def __str__(self) -> str:
        return f"{tracking_number(self.parcel_id)}: {self.get_reason_display()}"

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)
