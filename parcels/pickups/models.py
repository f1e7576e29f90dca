"""Pickup requests."""

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.choices import OrganisationKind
from alliance.models import User
from couriers.models import Courier
from parcels.bookings.models import Merchant, PickupAddress
from parcels.choices import PickupState
from parcels.pickups.querysets import PickupQuerySet
from parcels.pickups.rules import NOTE_LENGTH

_SIDES: Final = [(side.value, side.label) for side in (OrganisationKind.COURIER, OrganisationKind.MERCHANT)]


class Pickup(models.Model):
    """A merchant's request that one courier collects some parcels at one address within a window.

    Whether it was kept is not stored: its parcels' scans tell. It is open until its window ends, and a parcel
    is in one open request at most.
    """

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, db_index=False, related_name="+", verbose_name=_("merchant")
    )
    courier = models.ForeignKey(
        Courier, models.PROTECT, db_index=False, related_name="+", verbose_name=_("courier")
    )
    address = models.ForeignKey(
        PickupAddress, models.PROTECT, db_index=False, related_name="+", verbose_name=_("pickup address")
    )
    # The window: as requested, then as agreed. `day` is its local day at the address.
    day = models.DateField(_("day"))
    starts_at = models.DateTimeField(_("window from"))
    ends_at = models.DateTimeField(_("window until"))
    # Another window: the courier's, also once it is agreed on; or one to which a side asks to move an agreed
    # one, which stands until the other side agrees.
    proposed_starts_at = models.DateTimeField(_("proposed from"), null=True)
    proposed_ends_at = models.DateTimeField(_("proposed until"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=PickupState, default=PickupState.REQUESTED)
    # Those that it was made for, in their order. Cancelled ones stay in it, and are not counted.
    parcel_ids = ArrayField(models.BigIntegerField(), default=list, verbose_name=_("parcels"))
    weight_g = models.PositiveBigIntegerField(_("weight (g)"), default=0)
    # Which side asks to move the agreed window, while the other has not answered; and what it says.
    move_asked_by = models.CharField(
        _("move asked for by"), max_length=8, choices=_SIDES, blank=True, default="", db_default=""
    )
    move_note = models.CharField(
        _("note on the move"), max_length=NOTE_LENGTH, blank=True, default="", db_default=""
    )
    # How many parcels were not picked up within the agreed window, as last counted once it was over; for
    # lists of what was missed. What a page says of one request is counted when it is read.
    missed = models.PositiveIntegerField(_("parcels missed"), null=True)
    # From the merchant; and the courier's with a proposal or a refusal.
    note = models.CharField(_("note"), max_length=300, blank=True)
    answer = models.CharField(_("answer"), max_length=300, blank=True)
    requested_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    # The courier's last answer.
    answered_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("answered by")
    )
    answered_at = models.DateTimeField(_("answered"), null=True)
    # When the merchant agreed to the courier's window, or cancelled.
    settled_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("settled by")
    )
    settled_at = models.DateTimeField(_("settled"), null=True)

    objects = models.Manager.from_queryset(PickupQuerySet)()

    class Meta:
        verbose_name = _("pickup request")
        verbose_name_plural = _("pickup requests")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="pickup_state_known", condition=Q(state__in=PickupState.values)),
            models.CheckConstraint(name="pickup_window_ordered", condition=Q(starts_at__lt=F("ends_at"))),
            models.CheckConstraint(
                name="pickup_proposal_ordered",
                condition=(
                    Q(proposed_starts_at__isnull=True, proposed_ends_at__isnull=True)
                    & ~Q(state=PickupState.PROPOSED)
                )
                | Q(
                    proposed_starts_at__isnull=False,
                    proposed_ends_at__isnull=False,
                    proposed_starts_at__lt=F("proposed_ends_at"),
                ),
            ),
            models.CheckConstraint(
                name="pickup_move_has_window",
                condition=Q(move_asked_by="")
                | Q(
                    move_asked_by__in=[OrganisationKind.COURIER, OrganisationKind.MERCHANT],
                    proposed_starts_at__isnull=False,
                ),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Both sides' lists, newest first.
            models.Index(fields=["merchant", "-id"], name="pickup_by_merchant"),
            models.Index(fields=["courier", "-id"], name="pickup_by_courier"),
            # The oldest, which are deleted.
            models.Index(fields=["day"], name="pickup_by_day"),
            # A courier's round: what is agreed for a day, by window.
            models.Index(
                fields=["courier", "day", "starts_at", "id"],
                name="pickup_round",
                condition=Q(state=PickupState.ACCEPTED),
            ),
            # What waits for an answer: counted in both menus.
            models.Index(
                fields=["courier", "ends_at"],
                name="pickup_to_answer",
                condition=Q(state=PickupState.REQUESTED),
            ),
            models.Index(
                fields=["merchant", "proposed_ends_at"],
                name="pickup_to_agree",
                condition=Q(state=PickupState.PROPOSED),
            ),
            models.Index(
                fields=["courier", "ends_at"],
                name="pickup_courier_to_move",
                condition=Q(state=PickupState.ACCEPTED, move_asked_by=OrganisationKind.MERCHANT),
            ),
            models.Index(
                fields=["merchant", "ends_at"],
                name="pickup_merchant_to_move",
                condition=Q(state=PickupState.ACCEPTED, move_asked_by=OrganisationKind.COURIER),
            ),
            # Both sides' lists of what was missed.
            models.Index(
                fields=["merchant", "-id"], name="pickup_missed_by_merchant", condition=Q(missed__gt=0)
            ),
            models.Index(
                fields=["courier", "-id"], name="pickup_missed_by_courier", condition=Q(missed__gt=0)
            ),
            # What is to be counted: each window that is over once, and those missed again for some days.
            models.Index(
                fields=["ends_at"],
                name="pickup_to_count",
                condition=Q(state=PickupState.ACCEPTED, missed__isnull=True),
            ),
            models.Index(fields=["ends_at"], name="pickup_to_count_again", condition=Q(missed__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def proposed_by(self) -> str:
        """The side whose proposal waits for an answer; empty if none does."""
        if self.state == PickupState.PROPOSED:
            return OrganisationKind.COURIER.value
        return self.move_asked_by if self.state == PickupState.ACCEPTED else ""
