"""The enums of service levels. Values are stored and sent to clients; labels are for people."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class TierCode(models.TextChoices):
    """The service a merchant buys, by speed."""

    SAME_DAY = "same_day", _("Same day")
    NEXT_DAY = "next_day", _("Next day")
    STANDARD = "standard", _("Standard")


class OfferFileState(models.TextChoices):
    """The state of a courier's file of offers: checked first, and saved when somebody says so."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    CHECKED = "checked", _("Checked")
    DONE = "done", _("Saved")
    FAILED = "failed", _("Failed")


class RuleAction(models.TextChoices):
    """What a merchant's rule does with the couriers that the rules before it left."""

    ONLY = "only", _("Only these couriers")
    NEVER = "never", _("Never these couriers")
    CHEAPEST = "cheapest", _("The cheapest above a reliability")
    MOST_RELIABLE = "most_reliable", _("The most reliable under a price")
    SPLIT = "split", _("Split by share")
    STOP = "stop", _("No further rule: as recommended")


class CommitmentKind(models.TextChoices):
    """The milestone of a parcel that was promised."""

    PICKUP = "pickup", _("Pickup")
    DELIVERY = "delivery", _("Delivery")


class Outcome(models.TextChoices):
    """The outcome of a promised milestone, see slas/commitments/rules.py for the rules."""

    PENDING = "pending", _("Pending")
    MET = "met", _("On time")
    OVERDUE = "overdue", _("Overdue")
    LATE = "late", _("Late")
    VOID = "void", _("Void")


class ClosureSide(models.TextChoices):
    """The end of a journey that a closure affects."""

    ORIGIN = "origin", _("Origin")
    DESTINATION = "destination", _("Destination")
    BOTH = "both", _("Origin and destination")


class ExcuseReason(models.TextChoices):
    """Why a breach was not the courier's fault [UPS and FedEx guarantee exclusions].

    Values start with the party at fault wherever a scan's reason does.
    """

    CONSIGNEE_REFUSED = "consignee_refused", _("Recipient refused the parcel")
    CONSIGNEE_ABSENT = "consignee_absent", _("Recipient absent at an announced time")
    CONSIGNEE_WRONG_ADDRESS = "consignee_wrong_address", _("Wrong address given")
    CONSIGNEE_RESCHEDULED = "consignee_rescheduled", _("Recipient asked for another time")
    MERCHANT_NOT_READY = "merchant_not_ready", _("Merchant handed over late")
    MERCHANT_BAD_DATA = "merchant_bad_data", _("Merchant gave wrong or missing data")
    WEATHER = "weather", _("Weather")
    DISASTER = "disaster", _("Disaster")
    FORCE_MAJEURE = "force_majeure", _("Force majeure")


class NoPromiseReason(models.TextChoices):
    """Why no promise is possible for a journey."""

    TIER_NEVER_RUNS = "tier_never_runs", _("This service does not run on any day of the week")
    ORIGIN_CLOSED = "origin_closed", _("No pickup is possible there in the coming weeks")
    DESTINATION_CLOSED = "destination_closed", _("No delivery is possible there in the following weeks")
    OUT_OF_RANGE = "out_of_range", _("The date is out of range")


class DisruptionReason(models.TextChoices):
    """The kind of force majeure declared; each is also a reason of excuses."""

    WEATHER = "weather", _("Weather")
    DISASTER = "disaster", _("Disaster")
    FORCE_MAJEURE = "force_majeure", _("Force majeure")


class ExcuseState(models.TextChoices):
    """The state of a claim."""

    CLAIMED = "claimed", _("Waiting for a decision")
    GRANTED = "granted", _("Granted")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    REVOKED = "revoked", pgettext_lazy("excuse", "Revoked")
    # A punctual scan arrived before the decision: there is nothing left to excuse.
    LAPSED = "lapsed", _("Lapsed: the breach was withdrawn")


class ExcuseSource(models.TextChoices):
    """Who claimed or proposed an excuse."""

    COURIER = "courier", _("The courier")
    OPS = "ops", _("The alliance")
    EVENT = "event", _("A declared event")


class RevisionParty(models.TextChoices):
    """Who requested a later day."""

    RECIPIENT = "recipient", _("The recipient")
    MERCHANT = "merchant", _("The merchant")


class CreditCause(models.TextChoices):
    """Why an entry of the credit ledger was written."""

    LATE = "late", _("Delivered late")
    OVERDUE = "overdue", _("Overdue, not delivered")
    LOST = "lost", _("Lost")
    WITHDRAWN = "withdrawn", _("Found to be on time: reversed")
    EXCUSED = "excused", _("Exempt: reversed")
    FOUND = "found", _("Found to be not lost")


class Stage(models.TextChoices):
    """How far a parcel has come; forecasts start from the furthest stage reached."""

    BOOKED = "booked", _("Booked")
    PICKED_UP = "picked_up", _("Picked up")
    DEPARTED = "departed", _("Departed")
    ARRIVED = "arrived", _("Arrived")
    OUT_FOR_DELIVERY = "out_for_delivery", _("Out for delivery")


class Measure(models.IntegerChoices):
    """The quantity a histogram counts. Stored: never renumber."""

    LATENESS = 1, _("Lateness")
    EXCUSED = 2, _("Exempt breaches by reason")
    # From here on by landmark and stage, see slas/commitments/landmarks.py; for couriers only.
    PROGRESS = 100, _("How early or late, by progress before the promised time")


class WatchReason(models.TextChoices):
    """Why a parcel should be watched [parcelLab]."""

    AT_RISK = "at_risk", _("At risk of being late")
    DELAYED = "delayed", _("Overdue")
    DELAYED_DISPATCH = "delayed_dispatch", _("Not picked up in time")
    FORGOTTEN = "forgotten", _("Booked, not scanned")
    FAILED_ATTEMPT = "failed_attempt", _("Delivery attempt failed")
    EXCEPTION = "exception", _("Held or damaged")
    SILENT = "silent", _("No scan for too long")
    CONTRADICTION = "contradiction", _("Scans contradict each other")


class ExportContent(models.TextChoices):
    """The data that can be exported."""

    COMMITMENTS = "commitments", _("Commitments")
    RATES = "rates", _("On-time statistics")


class ExportFormat(models.TextChoices):
    CSV = "csv", _("CSV")
    PARQUET = "parquet", _("Parquet")


class ExportState(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Writing")
    DONE = "done", pgettext_lazy("export", "Ready")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")


class ScoreComponent(models.TextChoices):
    """The components a courier's month is scored by."""

    DELIVERY_ON_TIME = "delivery_on_time", _("Deliveries on time")
    PICKUP_ON_TIME = "pickup_on_time", _("Pickups on time")
    FIRST_ATTEMPT = "first_attempt", _("Delivered on the first attempt")
    WITHIN_72H = "within_72h", _("Delivered within 72 hours of pickup")
    LATENESS = "lateness", _("More than a day late, or not delivered")

    @property
    def lower_is_better(self) -> bool:
        return self == ScoreComponent.LATENESS


class Party(models.TextChoices):
    """The party a broken promise is attributed to; a scan's reason starts with one of these."""

    COURIER = "courier", _("The courier")
    MERCHANT = "merchant", _("The merchant")
    CONSIGNEE = "consignee", _("The recipient")
    CUSTOMS = "customs", _("Customs")
    WEATHER = "weather", _("The weather")
    FORCE_MAJEURE = "force_majeure", _("Force majeure")


class Ground(models.TextChoices):
    """The ground of an attribution, see slas/commitments/attribution.py for the rules."""

    EXCUSE = "excuse", _("A granted exemption")
    SCAN = "scan", _("The reason given by a scan")
    HANDED_OVER_LATE = "handed_over_late", _("Handed over late")
    NOBODY_ELSE = "nobody_else", _("No other party named")


class Leg(models.TextChoices):
    """A part of the journey between two stages."""

    WAITING = "waiting", _("waiting for pickup")
    LINEHAUL = "linehaul", _("line-haul and sorting")
    LAST_MILE = "last_mile", _("last mile")


class Decision(models.TextChoices):
    """The possible decisions on excuses."""

    GRANT = "grant", _("Grant")
    DECLINE = "decline", _("Decline")
    REVOKE = "revoke", pgettext_lazy("excuse", "Revoke")


class ScorecardState(models.TextChoices):
    """Whether a month can still change."""

    PROVISIONAL = "provisional", _("Provisional")
    FINAL = "final", _("Final")
