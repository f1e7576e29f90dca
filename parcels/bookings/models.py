"""Merchants, their pickup addresses, and what they book."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.identifiers import tracking_number
from alliance.models import City, Organisation
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import TenantQuerySet
from couriers.models import Courier
from parcels.bookings.querysets import ParcelQuerySet, PickupAddressQuerySet
from parcels.choices import Contradiction, ParcelSource, ParcelStatus
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
    # Ops know the merchant: it may book more than others in their first days.
    limit_lifted = models.BooleanField(
        _("without the limit of new merchants"), default=False, db_default=False
    )

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        verbose_name = _("merchant")
        verbose_name_plural = _("merchants")
        indexes: ClassVar[list[models.Index]] = [
            # For the filter of ops' list: the few without the limit.
            models.Index(
                fields=["organisation"], condition=Q(limit_lifted=True), name="merchant_without_limit"
            ),
        ]

    def __str__(self) -> str:
        return self.organisation.name


class PickupAddress(models.Model):
    """Where a merchant's parcels are picked up."""

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="pickup_addresses", verbose_name=_("merchant")
    )
    name = models.CharField(_("name"), max_length=80)
    city = models.ForeignKey(City, models.PROTECT, related_name="+", db_index=False, verbose_name=_("city"))
    address = models.CharField(_("address"), max_length=300)
    contact_name = models.CharField(_("contact"), max_length=120)
    contact_phone = models.CharField(_("phone"), max_length=40)
    is_default = models.BooleanField(_("default"), default=False)
    # Kept for the parcels booked from it: their couriers still have to find the place.
    removed_at = models.DateTimeField(_("removed"), null=True)

    objects = models.Manager.from_queryset(PickupAddressQuerySet)()

    class Meta:
        verbose_name = _("pickup address")
        verbose_name_plural = _("pickup addresses")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["merchant"],
                condition=Q(is_default=True, removed_at=None),
                name="pickup_address_one_default",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Ops' search by a city, in which there may be a hundred thousand.
            models.Index(fields=["city", "id"], name="pickup_address_by_city"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return public_id(IdKind.PICKUP_ADDRESS, self.pk)


class Parcel(models.Model):
    """One parcel from booking to its final status. Its id is its tracking number.

    The promise is frozen at booking. The status is a fold over the times at which the scans
    happened, independent of the order in which they arrived.
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
    # Compared bytewise: a prefix is then a range of the index (and leakproof under policies).
    reference = models.CharField(_("reference"), max_length=64, blank=True, db_collation="C")
    recipient_name = models.CharField(_("recipient"), max_length=120, blank=True)
    recipient_phone = models.CharField(_("recipient's phone"), max_length=40, blank=True)
    recipient_address = models.CharField(_("recipient's address"), max_length=300, blank=True)
    weight_g = models.PositiveIntegerField(_("weight (g)"), null=True)
    fee_fen = models.PositiveIntegerField(_("fee (fen)"), null=True)
    # What its courier owes if it is lost; its delivery's commitment has it, too.
    declared_value_fen = models.PositiveIntegerField(_("declared value (fen)"), null=True)
    # Which of how many parcels of one order it is, and the order: the id of its first parcel. Their ids have
    # one millisecond and one home, by which they are found without an index: see parcels.bookings.queries.
    piece = models.PositiveSmallIntegerField(_("piece"), default=1, db_default=1)
    pieces = models.PositiveSmallIntegerField(_("pieces"), default=1, db_default=1)
    order_id = models.BigIntegerField(_("order"), null=True)

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
    # The first movement. Because of it, a batch skips the pickup commitments of parcels already moving.
    picked_up_at = models.DateTimeField(_("picked up"), null=True)
    # When each further stage was first reached: the start of a forecast.
    departed_at = models.DateTimeField(_("departed"), null=True)
    arrived_at = models.DateTimeField(_("arrived"), null=True)
    out_for_delivery_at = models.DateTimeField(_("out for delivery"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True)
    # The first delivery attempt of any kind: from then on its commitment keeps the stages.
    attempted_at = models.DateTimeField(_("first attempt"), null=True)
    # Its scans do not fold one by one, because of a correction, a return, a loss or a contradiction: each
    # fold reads all of them again.
    corrected = models.BooleanField(default=False)
    # How its scans contradict each other, and when a scan last showed that; "" if they do not.
    contradiction = models.CharField(
        _("contradiction"), max_length=24, choices=Contradiction, blank=True, default="", db_default=""
    )
    contradicted_at = models.DateTimeField(_("contradicted"), null=True)
    # How many scans are stored: a parcel has a limit.
    scan_count = models.PositiveSmallIntegerField(_("scans"), default=0, db_default=0)
    # When its first label was printed: each later one says that it is a reprint.
    label_printed_at = models.DateTimeField(_("label printed"), null=True)
    # The manifest that it is on; no key, as manifests are on the coordinator. See parcels.manifests.
    manifest_id = models.BigIntegerField(_("manifest"), null=True)
    # The last pickup request that it is in, open or not: without an index, the request lists its parcels.
    pickup_id = models.BigIntegerField(_("pickup request"), null=True)
    # The merchant's allocation rule that decided, as it was then: it may have another name or place by now,
    # or be gone. NULL, which takes no room, if none did.
    rule_position = models.PositiveSmallIntegerField(_("position of the rule"), null=True)
    rule_name = models.CharField(_("rule"), max_length=60, null=True)  # noqa: DJ001 -- see above
    # The way back, as two parcels: a return names the parcel that it brings back, and that one its latest
    # return. Both, as each is a look-up by id then: a search would ask every shard of a cluster.
    return_of_id = models.BigIntegerField(_("return of"), null=True)
    returned_by_id = models.BigIntegerField(_("returned by"), null=True)
    # When that one was cancelled, which frees this parcel for another; NULL while it is open.
    return_cancelled_at = models.DateTimeField(_("return cancelled"), null=True)
    # Of a return: whom it is collected from. Its own copy, as the other parcel's recipient may be erased
    # while this one is on its way. Or the courier that holds what was refused.
    sender_name = models.CharField(_("sender"), max_length=120, blank=True, default="", db_default="")
    sender_phone = models.CharField(_("sender's phone"), max_length=40, blank=True, default="", db_default="")
    sender_address = models.CharField(
        _("sender's address"), max_length=300, blank=True, default="", db_default=""
    )
    held_by = dimension(Courier, _("held by"), null=True)
    # When its recipient's data were erased; see parcels.retention.erasing.
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
            # A merchant's search by its own reference or a prefix; other merchants may use the same prefix.
            models.Index(
                fields=["merchant", "reference"],
                name="parcel_by_own_reference",
                condition=~Q(reference=""),
            ),
            # The same for a courier's search, and for ops, who search under every courier.
            models.Index(
                fields=["courier", "reference"],
                name="parcel_by_courier_reference",
                condition=~Q(reference=""),
            ),
            # The parcels of a manifest, in their order.
            models.Index(
                fields=["manifest_id", "id"],
                name="parcel_by_manifest",
                condition=Q(manifest_id__isnull=False),
            ),
            # Freight: what was cancelled in some time. Few are, and no booking writes into these.
            models.Index(
                fields=["courier", "cancelled_at"],
                name="parcel_cancelled",
                condition=Q(cancelled_at__isnull=False),
            ),
            models.Index(
                fields=["merchant", "cancelled_at"],
                name="parcel_own_cancelled",
                condition=Q(cancelled_at__isnull=False),
            ),
            # The next recipients to erase, oldest first. Ids grow: a booking adds to the last page.
            models.Index(fields=["id"], name="parcel_unerased", condition=Q(erased_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return tracking_number(self.id)

    @property
    def has_return(self) -> bool:
        """Whether a return of it is open: issued, and not cancelled."""
        return self.returned_by_id is not None and self.return_cancelled_at is None
