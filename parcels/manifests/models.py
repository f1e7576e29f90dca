"""Manifests: what a courier picks up at one address on one day."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.file_jobs import FileJob
from alliance.models import City, User
from couriers.models import Courier
from parcels.bookings.models import Merchant, PickupAddress
from parcels.bookings.querysets import MovedQuerySet
from parcels.choices import ManifestState
from parcels.manifests.rules import REMARK_LENGTH, manifest_number, new_code
from slas.columns import dimension


class Manifest(FileJob):
    """A handover list: the parcels of a merchant that one courier picks up at one address on one day.

    Its parcels name it (`Parcel.manifest_id`); how many they are is counted while it is open, as parcels may
    be cancelled, and kept here once it is handed over. The pickup goes on in slices: `position`, `done` and
    the counts change in the transaction of a slice.
    """

    # Random, so that a number tells nobody how many there are: see `number`.
    code = models.BigIntegerField(unique=True, default=new_code, editable=False)
    merchant = models.ForeignKey(
        Merchant, models.PROTECT, db_index=False, related_name="+", verbose_name=_("merchant")
    )
    courier = models.ForeignKey(
        Courier, models.PROTECT, db_index=False, related_name="+", verbose_name=_("courier")
    )
    origin = dimension(City, _("from"))
    # None: parcels that were booked without an address, from this city.
    pickup_address = models.ForeignKey(
        PickupAddress,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("pickup address"),
    )
    day = models.DateField(_("pickup day"))
    # The how manieth of its day: a day may have several.
    ordinal = models.PositiveSmallIntegerField(_("number of the day"))
    state = models.CharField(_("state"), max_length=12, choices=ManifestState, default=ManifestState.OPEN)
    listed = models.PositiveIntegerField(_("parcels listed"))
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("made by"))
    cancelled_at = models.DateTimeField(_("cancelled"), null=True)
    # When the courier took the parcels over, as it says itself: the time of their scans.
    picked_up_at = models.DateTimeField(_("picked up"), null=True)
    picked_up_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("picked up by")
    )
    # The least and the greatest id of its parcels: which months and homes they may be in.
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    # The last parcel looked at by the pickup, how many were, and what has become of them.
    position = models.BigIntegerField(default=0)
    done = models.PositiveIntegerField(_("parcels looked at"), default=0)
    picked_up = models.PositiveIntegerField(_("parcels picked up"), default=0)
    cancelled = models.PositiveIntegerField(_("parcels cancelled"), default=0)
    # Ids of parcels that the merchant took off while it was open: papers that were printed before have them.
    removed = models.JSONField(_("taken off"), default=list, db_default=[])
    # Ids of parcels: listed and not found, handed over and not listed, refused with the reason.
    missing = models.JSONField(_("missing"), default=list)
    extra = models.JSONField(_("not listed"), default=list)
    refused = models.JSONField(_("refused"), default=dict)
    merchant_remark = models.CharField(_("merchant's remark"), max_length=REMARK_LENGTH, blank=True)
    courier_remark = models.CharField(_("courier's remark"), max_length=REMARK_LENGTH, blank=True)

    objects = models.Manager.from_queryset(MovedQuerySet)()

    class Meta:
        verbose_name = _("manifest")
        verbose_name_plural = _("manifests")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="manifest_state_known", condition=Q(state__in=ManifestState.values)),
            models.UniqueConstraint(
                fields=["merchant", "courier", "origin", "pickup_address", "day", "ordinal"],
                nulls_distinct=False,
                name="manifest_number_of_day",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The lists of both sides, newest first; a courier's of one day.
            models.Index(fields=["merchant", "-id"], name="manifest_by_merchant"),
            models.Index(fields=["courier", "-id"], name="manifest_by_courier"),
            models.Index(fields=["courier", "day", "-id"], name="manifest_by_courier_day"),
            # Remarks that are still to be erased.
            models.Index(
                fields=["made_at"],
                condition=~Q(merchant_remark="", courier_remark=""),
                name="manifest_remarked",
            ),
            # What workers still have to pick up.
            models.Index(
                fields=["due_at"], condition=Q(state__in=["queued", "running"]), name="manifest_due"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return manifest_number(self.code)

    @property
    def place(self) -> Any:
        return self.position

    @property
    def is_open(self) -> bool:
        return self.state == ManifestState.OPEN

    @property
    def is_picked_up(self) -> bool:
        """Whether its pickup has begun: nothing is added or taken away any more."""
        return self.picked_up_at is not None
