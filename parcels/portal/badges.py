"""Badges of parcel statuses and scan codes."""

from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.portal.badges import Badge
from parcels.choices import (
    DeliveryState,
    ManifestState,
    ParcelStatus,
    PickupStage,
    ReplayState,
    ReturnState,
    ScanCode,
    ShopOutcome,
    ShopState,
    WebhookState,
)
from parcels.manifests.texts import OUTCOMES

_STATUSES: Final[dict[str, Badge]] = {
    ParcelStatus.BOOKED: Badge(_("Booked"), "slate", "notes"),
    ParcelStatus.PICKED_UP: Badge(_("Picked up"), "cyan", "package-export"),
    ParcelStatus.IN_TRANSIT: Badge(_("In transit"), "blue", "truck"),
    ParcelStatus.OUT_FOR_DELIVERY: Badge(_("Out for delivery"), "indigo", "scooter"),
    ParcelStatus.ATTEMPT_FAILED: Badge(_("Delivery attempt failed"), "orange", "door-off"),
    ParcelStatus.AVAILABLE_FOR_PICKUP: Badge(_("Ready for collection"), "teal", "building-store"),
    ParcelStatus.DELIVERED: Badge(_("Delivered"), "green", "circle-check"),
    ParcelStatus.EXCEPTION: Badge(_("Exception"), "red", "alert-triangle"),
    ParcelStatus.RETURNING: Badge(_("Returning to sender"), "amber", "arrow-back-up"),
    ParcelStatus.RETURNED: Badge(_("Returned to sender"), "brown", "package-import"),
    ParcelStatus.LOST: Badge(_("Lost"), "red", "help-octagon"),
    ParcelStatus.CANCELLED: Badge(_("Cancelled"), "grey", "ban"),
}

_SCAN_CODES: Final[dict[str, Badge]] = {
    ScanCode.PICKED_UP: Badge(_("Picked up from sender"), "cyan", "package-export"),
    ScanCode.DEPARTED: Badge(_("Departed"), "blue", "truck-delivery"),
    ScanCode.ARRIVED: Badge(_("Arrived"), "blue", "building-warehouse"),
    ScanCode.OUT_FOR_DELIVERY: _STATUSES[ParcelStatus.OUT_FOR_DELIVERY],
    ScanCode.ATTEMPT_FAILED: _STATUSES[ParcelStatus.ATTEMPT_FAILED],
    ScanCode.AVAILABLE_FOR_PICKUP: _STATUSES[ParcelStatus.AVAILABLE_FOR_PICKUP],
    ScanCode.DELIVERED: _STATUSES[ParcelStatus.DELIVERED],
    ScanCode.HELD: Badge(_("Held"), "amber", "hand-stop"),
    ScanCode.DAMAGED: Badge(_("Damaged"), "red", "package-off"),
    ScanCode.LOST: _STATUSES[ParcelStatus.LOST],
    ScanCode.RETURN_STARTED: Badge(_("Return to sender started"), "amber", "arrow-back-up"),
    ScanCode.RETURNED: _STATUSES[ParcelStatus.RETURNED],
    ScanCode.CORRECTION: Badge(_("Correction"), "grey", "eraser"),
}

_PICKUPS: Final[dict[str, Badge]] = {
    PickupStage.REQUESTED: Badge(_("Waiting for the courier"), "amber", "message-question"),
    PickupStage.PROPOSED: Badge(_("Another window proposed"), "amber", "calendar-event"),
    PickupStage.ACCEPTED: Badge(_("Agreed"), "blue", "calendar-check"),
    PickupStage.DONE: Badge(_("Picked up"), "green", "circle-check"),
    PickupStage.MISSED: Badge(_("Window missed"), "red", "clock-exclamation"),
    PickupStage.DECLINED: Badge(pgettext_lazy("pickup", "Declined"), "grey", "x"),
    PickupStage.CANCELLED: Badge(_("Cancelled"), "grey", "ban"),
    PickupStage.LAPSED: Badge(_("Not answered"), "grey", "hourglass-off"),
}

_RETURN_REQUESTS: Final[dict[str, Badge]] = {
    ReturnState.REQUESTED: Badge(pgettext_lazy("return", "Requested"), "amber", "hourglass"),
    ReturnState.APPROVED: Badge(_("Approved"), "green", "circle-check"),
    ReturnState.DECLINED: Badge(_("Declined"), "red", "circle-x"),
    ReturnState.WITHDRAWN: Badge(_("Withdrawn"), "grey", "arrow-back-up"),
}

_MANIFESTS: Final[dict[str, Badge]] = {
    ManifestState.OPEN: Badge(_("To be picked up"), "blue", "clipboard-list"),
    ManifestState.QUEUED: Badge(_("Being picked up"), "cyan", "loader"),
    ManifestState.RUNNING: Badge(_("Being picked up"), "cyan", "loader"),
    ManifestState.HANDED_OVER: Badge(_("Handed over"), "green", "clipboard-check"),
    ManifestState.FAILED: Badge(_("Pickup interrupted"), "red", "alert-triangle"),
    ManifestState.CANCELLED: Badge(_("Cancelled"), "grey", "ban"),
}
_WEBHOOKS: Final[dict[str, Badge]] = {
    WebhookState.ACTIVE: Badge(WebhookState.ACTIVE.label, "green", "circle-check"),
    WebhookState.PAUSED: Badge(WebhookState.PAUSED.label, "amber", "player-pause"),
    WebhookState.DISABLED: Badge(WebhookState.DISABLED.label, "red", "ban"),
    DeliveryState.PENDING: Badge(DeliveryState.PENDING.label, "blue", "hourglass"),
    DeliveryState.DELIVERED: Badge(DeliveryState.DELIVERED.label, "green", "circle-check"),
    DeliveryState.FAILED: Badge(DeliveryState.FAILED.label, "red", "circle-x"),
    ReplayState.QUEUED: Badge(ReplayState.QUEUED.label, "blue", "hourglass"),
    ReplayState.RUNNING: Badge(ReplayState.RUNNING.label, "cyan", "loader"),
    ReplayState.DONE: Badge(ReplayState.DONE.label, "green", "circle-check"),
}
_SHOPS: Final[dict[str, Badge]] = {
    ShopState.ACTIVE: Badge(ShopState.ACTIVE.label, "green", "circle-check"),
    ShopState.PAUSED: Badge(ShopState.PAUSED.label, "amber", "player-pause"),
    "no_secret": Badge(pgettext_lazy("shop", "Secret missing"), "orange", "key"),
    ShopOutcome.WAITING: Badge(ShopOutcome.WAITING.label, "blue", "hourglass"),
    ShopOutcome.BOOKED: Badge(ShopOutcome.BOOKED.label, "green", "circle-check"),
    ShopOutcome.CANCELLED: Badge(ShopOutcome.CANCELLED.label, "grey", "ban"),
    ShopOutcome.IGNORED: Badge(ShopOutcome.IGNORED.label, "slate", "minus"),
    ShopOutcome.REJECTED: Badge(ShopOutcome.REJECTED.label, "red", "circle-x"),
    ShopOutcome.CHANGED: Badge(ShopOutcome.CHANGED.label, "orange", "edit"),
    ShopOutcome.TOO_LATE: Badge(ShopOutcome.TOO_LATE.label, "orange", "clock-exclamation"),
    ShopOutcome.FAILED: Badge(ShopOutcome.FAILED.label, "red", "alert-triangle"),
}
_OUTCOMES: Final[dict[str, Badge]] = {
    "to_pick_up": Badge(OUTCOMES["to_pick_up"], "slate", "clock"),
    "picked_up": Badge(OUTCOMES["picked_up"], "green", "package-export"),
    "cancelled": Badge(OUTCOMES["cancelled"], "grey", "ban"),
    "missing": Badge(OUTCOMES["missing"], "red", "help-octagon"),
    "removed": Badge(OUTCOMES["removed"], "grey", "playlist-x"),
    "extra": Badge(OUTCOMES["extra"], "amber", "package-import"),
    "refused": Badge(OUTCOMES["refused"], "red", "alert-triangle"),
}

# Family -> value -> badge.
BADGES: Final[dict[str, dict[str, Badge]]] = {
    "parcel": _STATUSES,
    "scan": _SCAN_CODES,
    "pickup": _PICKUPS,
    "return": _RETURN_REQUESTS,
    "manifest": _MANIFESTS,
    "manifest_line": _OUTCOMES,
    "webhook": _WEBHOOKS,
    "shop": _SHOPS,
}
