"""The bodies and answers of the API of pickup requests."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alliance.api.parsing import Body, MomentField, WordField
from alliance.api.public_ids import PartyField, PublicIdField
from alliance.public_ids import IdKind
from parcels.api.serializers import ProblemItem
from parcels.bookings.rules import BATCH_LIMIT
from parcels.choices import ParcelStatus, PickupStage, PickupState
from parcels.pickups.rules import NOTE_LENGTH

S = serializers.Serializer[Any]


class WindowBody(Body):
    """When the courier comes, on one day at the pickup address."""

    starts_at = MomentField(help_text="With its UTC offset.")
    ends_at = MomentField(help_text="With its UTC offset.")


class NoteBody(Body):
    note = serializers.CharField(max_length=NOTE_LENGTH, help_text="Why. The merchant reads it.")


class ProposalBody(WindowBody):
    note = serializers.CharField(max_length=NOTE_LENGTH, default="", allow_blank=True)


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class NumbersField(serializers.ListField):
    """Tracking numbers; what is no text is rejected by itself."""


class PickupBody(WindowBody):
    """Which parcels, and when."""

    tracking_numbers = NumbersField(
        child=serializers.JSONField(),
        required=False,
        min_length=1,
        max_length=BATCH_LIMIT,
        help_text="Of one courier and one address. Left out: all parcels that wait for `courier` at "
        "`pickup_address`.",
    )
    courier = PartyField(IdKind.COURIER, required=False, help_text="Its id; else that of the first parcel.")
    pickup_address = PublicIdField(
        IdKind.PICKUP_ADDRESS,
        required=False,
        help_text="Id of an address of yours; else that of the first parcel.",
    )
    note = serializers.CharField(
        max_length=NOTE_LENGTH,
        default="",
        allow_blank=True,
        help_text="For the courier: gate, dock, whom to ask.",
    )


class PickupsQuery(S):
    """Which requests to list."""

    day = serializers.DateField(required=False, help_text="Local day of the window.")
    state = WordField(
        choices=PickupState.choices,
        required=False,
        help_text="As answered: `accepted` also lists those done or missed, `requested` those that lapsed.",
    )
    is_missed = WordField(
        choices=["true", "false"],
        required=False,
        help_text="`true`: agreed windows that are over and in which some parcels were not picked up, as "
        "counted within a minute of their end and hourly for three days.",
    )


class WindowAnswer(S):
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class PickupPlace(S):
    id = PublicIdField(IdKind.PICKUP_ADDRESS)
    name = serializers.CharField()
    city = serializers.CharField(help_text="City code.")
    city_name = serializers.CharField(help_text="In the language of the request.")
    address = serializers.CharField()
    contact_name = serializers.CharField()
    contact_phone = serializers.CharField()


class PickupAnswer(S):
    """A pickup request. Times carry the offset of its address."""

    id = PublicIdField(IdKind.PICKUP)
    state = serializers.ChoiceField(
        choices=PickupStage.choices,
        help_text="`accepted` becomes `done` or `missed` by the scans of its parcels.",
    )
    day = serializers.DateField()
    window = WindowAnswer(help_text="As requested, then as agreed.")
    proposed = WindowAnswer(
        allow_null=True,
        help_text="The courier's own window, if it proposed one; or that to which a side asks to move the "
        "agreed one.",
    )
    proposed_by = serializers.ChoiceField(
        choices=["courier", "merchant"],
        allow_null=True,
        help_text="Who waits for an answer to a proposed window.",
    )
    courier = PartyField(IdKind.COURIER)
    courier_name = serializers.CharField()
    merchant = PartyField(IdKind.MERCHANT)
    merchant_name = serializers.CharField()
    pickup_place = PickupPlace()
    parcel_count = serializers.IntegerField(help_text="Without cancelled ones.")
    picked_up = serializers.IntegerField()
    missed = serializers.IntegerField(help_text="Not picked up within the window, once it is over.")
    weight_g = serializers.IntegerField()
    note = serializers.CharField(help_text="The merchant's.")
    answer = serializers.CharField(help_text="The courier's, with a proposal or a refusal.")
    proposal_note = serializers.CharField(help_text="Of the side that asks to move the agreed window.")
    requested_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)


class PickupItem(S):
    tracking_number = serializers.CharField()
    status = serializers.ChoiceField(choices=ParcelStatus.choices)
    pickup_by = serializers.DateTimeField(allow_null=True, help_text="As promised at booking.")
    picked_up_at = serializers.DateTimeField(allow_null=True)


class PickupDetailAnswer(PickupAnswer):
    items = PickupItem(many=True)


class PickupResult(S):
    """Of a rejected number: type, detail and errors, as in a problem document."""

    index = serializers.IntegerField()
    tracking_number = serializers.CharField(required=False)
    status = serializers.ChoiceField(choices=["requested", "rejected"])
    type = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = ProblemItem(many=True, required=False)  # type: ignore[assignment]


class RequestedAnswer(PickupAnswer):
    results = PickupResult(many=True, help_text="One for each number, in order.")
