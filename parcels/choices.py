"""Choices of parcels, scans and files. The values are stored and sent; the labels are shown."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ParcelStatus(models.TextChoices):
    BOOKED = "booked", _("Booked")
    PICKED_UP = "picked_up", _("Picked up")
    IN_TRANSIT = "in_transit", _("In transit")
    OUT_FOR_DELIVERY = "out_for_delivery", _("Out for delivery")
    ATTEMPT_FAILED = "attempt_failed", _("Delivery attempt failed")
    AVAILABLE_FOR_PICKUP = "available_for_pickup", _("Ready for collection")
    DELIVERED = "delivered", _("Delivered")
    EXCEPTION = "exception", _("Exception")
    RETURNING = "returning", _("Returning to sender")
    RETURNED = "returned", _("Returned to sender")
    LOST = "lost", _("Lost")
    CANCELLED = "cancelled", _("Cancelled")


class ScanCode(models.TextChoices):
    PICKED_UP = "picked_up", _("Picked up from sender")
    DEPARTED = "departed", _("Departed")
    ARRIVED = "arrived", _("Arrived")
    OUT_FOR_DELIVERY = "out_for_delivery", _("Out for delivery")
    ATTEMPT_FAILED = "attempt_failed", _("Delivery attempt failed")
    AVAILABLE_FOR_PICKUP = "available_for_pickup", _("Ready for collection")
    DELIVERED = "delivered", _("Delivered")
    HELD = "held", _("Held")
    DAMAGED = "damaged", _("Damaged")
    LOST = "lost", _("Lost")
    RETURN_STARTED = "return_started", _("Return to sender started")
    RETURNED = "returned", _("Returned to sender")
    CORRECTION = "correction", _("Correction")


class Contradiction(models.TextChoices):
    """How the scans of a parcel contradict its final status, or one another."""

    MOVING_THOUGH_CANCELLED = "moving_though_cancelled", _("Moving though cancelled")
    DELIVERED_AFTER_RETURN = "delivered_after_return", _("Delivered after its return")
    RETURNED_AFTER_DELIVERY = "returned_after_delivery", _("Returned after delivery")
    DELIVERED_TWICE = "delivered_twice", _("Delivered twice")
    SCANNED_AFTER_RETURN = "scanned_after_return", _("Scanned after its return")
    SCANNED_AFTER_DELIVERY = "scanned_after_delivery", _("Scanned after delivery")
    SEEN_AFTER_LOSS = "seen_after_loss", _("Seen again after it was reported lost")


class ScanReason(models.TextChoices):
    """Why an attempt failed or a parcel is held; the prefix is the party at fault."""

    COURIER_LATE_LINEHAUL = "courier_late_linehaul", _("Line-haul was late")
    COURIER_MISSORTED = "courier_missorted", _("Missorted")
    COURIER_VEHICLE = "courier_vehicle", _("Vehicle trouble")
    COURIER_CAPACITY = "courier_capacity", _("Not enough capacity")
    COURIER_NOT_ATTEMPTED = "courier_not_attempted", _("Not attempted")
    COURIER_OTHER = "courier_other", _("Other courier reason")
    MERCHANT_NOT_READY = "merchant_not_ready", _("Sender was not ready")
    MERCHANT_BAD_DATA = "merchant_bad_data", _("Sender gave wrong data")
    MERCHANT_PACKAGING = "merchant_packaging", _("Packaging not fit for transport")
    CONSIGNEE_ABSENT = "consignee_absent", _("Recipient absent")
    CONSIGNEE_REFUSED = "consignee_refused", _("Recipient refused the parcel")
    CONSIGNEE_WRONG_ADDRESS = "consignee_wrong_address", _("Wrong address")
    CONSIGNEE_RESCHEDULED = "consignee_rescheduled", _("Recipient asked for another time")
    CONSIGNEE_UNREACHABLE = "consignee_unreachable", _("Recipient could not be reached")
    CONSIGNEE_UNRECORDED = "consignee_unrecorded", _("Attempted; reason not recorded")
    CUSTOMS_INSPECTION = "customs_inspection", _("Customs inspection")
    CUSTOMS_DOCUMENTS = "customs_documents", _("Customs documents missing")
    WEATHER_TYPHOON = "weather_typhoon", _("Typhoon")
    WEATHER_SNOW = "weather_snow", _("Snow or ice")
    WEATHER_FLOOD = "weather_flood", _("Flood")
    WEATHER_OTHER = "weather_other", _("Bad weather")
    FORCE_MAJEURE_TRAFFIC_CONTROL = "force_majeure_traffic_control", _("Traffic control")
    FORCE_MAJEURE_DISASTER = "force_majeure_disaster", _("Natural disaster")
    FORCE_MAJEURE_OTHER = "force_majeure_other", _("Other force majeure")


class ParcelSource(models.TextChoices):
    """How the parcel was booked."""

    PORTAL = "portal", _("Portal")
    API = "api", _("API")
    FILE = "file", _("File")
    SHOP = "shop", pgettext_lazy("source", "Connected shop")
    HISTORY = "history", _("Imported history")


class Story(models.TextChoices):
    """What a test parcel runs through: see docs/test-mode.md."""

    DELIVERED = "delivered"
    LATE = "late"
    LOST = "lost"
    RETURNED = "returned"
    SECOND_ATTEMPT = "second_attempt"
    COLLECTED = "collected"
    HELD = "held"


class FileState(models.TextChoices):
    """The state of an uploaded file."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class BookingFileState(models.TextChoices):
    """The state of a merchant's booking file."""

    # Its columns are to be named before it is booked.
    DRAFT = "draft", _("Columns to name")
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class LabelFormat(models.TextChoices):
    PDF = "pdf", _("PDF, for any printer")
    ZPL = "zpl", _("ZPL, for label printers")


class LabelSize(models.TextChoices):
    NARROW = "76x130", _("76 × 130 mm")
    WIDE = "100x150", _("100 × 150 mm")


class DryRunState(models.TextChoices):
    """The state of a dry run of allocation rules."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class ManifestState(models.TextChoices):
    """The state of a manifest; those between open and handed over are of a large one that workers pick up."""

    OPEN = "open", _("To be picked up")
    QUEUED = "queued", _("Being picked up")
    RUNNING = "running", _("Being picked up")
    HANDED_OVER = "handed_over", _("Handed over")
    FAILED = "failed", _("Pickup interrupted")
    CANCELLED = "cancelled", _("Cancelled")


class PickupState(models.TextChoices):
    """Where a pickup request stands between merchant and courier."""

    REQUESTED = "requested", _("Waiting for the courier")
    PROPOSED = "proposed", _("Another window proposed")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", pgettext_lazy("pickup", "Declined")
    CANCELLED = "cancelled", _("Cancelled")


class PickupStage(models.TextChoices):
    """What a pickup looks like now: its state, the clock and its parcels' scans."""

    REQUESTED = "requested", _("Waiting for the courier")
    PROPOSED = "proposed", _("Another window proposed")
    ACCEPTED = "accepted", _("Agreed")
    DONE = "done", _("Picked up")
    MISSED = "missed", _("Window missed")
    DECLINED = "declined", pgettext_lazy("pickup", "Declined")
    CANCELLED = "cancelled", _("Cancelled")
    # Nobody answered before the window ended.
    LAPSED = "lapsed", _("Not answered")


class ReturnReason(models.TextChoices):
    """Why a recipient wants to send a parcel back."""

    WRONG_ITEM = "wrong_item", _("Wrong item")
    DAMAGED = "damaged", _("Damaged or faulty")
    NOT_AS_DESCRIBED = "not_as_described", _("Not as described")
    SIZE = "size", _("Does not fit")
    NO_LONGER_WANTED = "no_longer_wanted", _("No longer wanted")
    OTHER = "other", _("Another reason")


class ReturnState(models.TextChoices):
    """What has become of a recipient's request for a return."""

    REQUESTED = "requested", pgettext_lazy("return", "Requested")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class FreightKind(models.TextChoices):
    """What a line of freight is, in the order of a statement."""

    FEE = "fee", _("Fee")
    CANCELLATION = "cancellation", _("Cancellation")
    SURCHARGE = "surcharge", _("Surcharge")
    CREDIT = "credit", _("Credit")


class WebhookState(models.TextChoices):
    """Whether an endpoint is sent anything."""

    ACTIVE = "active", pgettext_lazy("webhook", "Active")
    # By its owner: what happens meanwhile waits, and is sent once it is resumed.
    PAUSED = "paused", pgettext_lazy("webhook", "Paused")
    # By us: what happens meanwhile is not kept for it.
    DISABLED = "disabled", pgettext_lazy("webhook", "Switched off")


class WebhookCause(models.TextChoices):
    """Why an endpoint was switched off."""

    GONE = "gone", _("It answered 410 Gone.")
    FAILING = "failing", _("Every delivery failed for five days.")
    # It did harm. Its owner cannot resume it.
    STOPPED = "stopped", _("The alliance stopped it.")


class DeliveryState(models.TextChoices):
    """What became of one event for one endpoint."""

    PENDING = "pending", pgettext_lazy("webhook", "Waiting")
    DELIVERED = "delivered", pgettext_lazy("webhook", "Delivered")
    # After the last attempt.
    FAILED = "failed", pgettext_lazy("webhook", "Given up")


class ReplayKind(models.TextChoices):
    """What is sent again."""

    MISSING = "missing", _("What was not delivered")
    ALL = "all", _("Everything")


class ReplayState(models.TextChoices):
    """How far a replay is; the first three are states of any file of slices."""

    QUEUED = "queued", pgettext_lazy("webhook", "In the queue")
    RUNNING = "running", pgettext_lazy("webhook", "Being prepared")
    FAILED = "failed", pgettext_lazy("webhook", "Interrupted")
    DONE = "done", pgettext_lazy("webhook", "Handed to delivery")


class ShopKind(models.TextChoices):
    """The program that a connected shop runs on."""

    SHOPIFY = "shopify", "Shopify"
    WOOCOMMERCE = "woocommerce", "WooCommerce"


class BooksOn(models.TextChoices):
    """When a shop's order becomes a booking."""

    PLACED = "placed", _("As soon as it is placed")
    PAID = "paid", _("Once it is paid")


class ShopState(models.TextChoices):
    """Whether orders of a shop are booked."""

    ACTIVE = "active", pgettext_lazy("shop", "Connected")
    # What the shop sends meanwhile waits.
    PAUSED = "paused", pgettext_lazy("shop", "Paused")


class ShopOutcome(models.TextChoices):
    """What became of a message of a shop."""

    WAITING = "waiting", pgettext_lazy("shop", "Waiting")
    BOOKED = "booked", pgettext_lazy("shop", "Booked")
    CANCELLED = "cancelled", pgettext_lazy("shop", "Parcel cancelled")
    IGNORED = "ignored", pgettext_lazy("shop", "Ignored")
    # These four are for a person to look at.
    REJECTED = "rejected", pgettext_lazy("shop", "Rejected")
    CHANGED = "changed", pgettext_lazy("shop", "Changed after booking")
    TOO_LATE = "too_late", pgettext_lazy("shop", "Too late to cancel")
    FAILED = "failed", pgettext_lazy("shop", "Failed")


class ShopReason(models.TextChoices):
    """Why nothing was to be done for a message, or could be; other rejections have the codes of bookings."""

    OTHER_TOPIC = "other_topic", _("Not about an order.")
    TEST = "test_order", _("A test order.")
    NOTHING_TO_SHIP = "nothing_to_ship", _("Nothing in it needs shipping.")
    NO_ADDRESS = "no_address", _("It has no shipping address; it may be collected in the shop.")
    UNPAID = "unpaid", _("Not paid yet. It is booked once the shop reports the payment.")
    CLOSED = "closed", _("Already sent, refunded or voided in the shop.")
    STALE = "stale", _("A later message about this order came before.")
    CANCELLED = "cancelled", _("Cancelled in the shop before it was booked.")
    CANCELLED_BEFORE = "cancelled_before", _("This order was cancelled in the shop before.")
    OLD = "placed_before", _("Placed before the shop was connected.")
    BOOKED_BEFORE = "booked_before", _("Booked before; nothing has changed.")
    NOT_JSON = "not_json", _("Not JSON: choose JSON as the webhook's format.")
    NO_ORDER = "no_order", _("It contains no order.")
    NO_TEMPLATE = "no_template", _("The shop has no template: fill in its values again.")
