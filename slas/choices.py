"""Closed vocabularies of the SLA engine. The values are stored and sent; the labels are for people."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class TierCode(models.TextChoices):
    """What a merchant buys: how soon the parcel is to be there."""

    SAME_DAY = "same_day", _("Same day")
    NEXT_DAY = "next_day", _("Next day")
    STANDARD = "standard", _("Standard")


class CommitmentKind(models.TextChoices):
    """Which milestone of a parcel was promised."""

    PICKUP = "pickup", _("Pickup")
    DELIVERY = "delivery", _("Delivery")


class Outcome(models.TextChoices):
    """What became of one promised milestone, see slas/outcomes.py for the rules."""

    PENDING = "pending", _("Pending")
    MET = "met", _("On time")
    OVERDUE = "overdue", _("Overdue")
    LATE = "late", _("Late")
    VOID = "void", _("Void")


class ClosureSide(models.TextChoices):
    """Which end of a journey a closure hits."""

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
    """Why nothing can be promised for a journey."""

    TIER_NEVER_RUNS = "tier_never_runs", _("This service runs on no day of the week")
    ORIGIN_CLOSED = "origin_closed", _("No pickup is possible there in the next weeks")
    DESTINATION_CLOSED = "destination_closed", _("No delivery is possible there in the following weeks")
    OUT_OF_RANGE = "out_of_range", _("The date is out of range")
