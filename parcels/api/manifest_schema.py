"""The bodies and answers of the API of manifests."""

from typing import Any

from rest_framework import serializers

from alliance.api.parsing import Body, MomentField, WordField
from alliance.api.public_ids import PartyField, PublicIdField
from alliance.public_ids import IdKind
from parcels.api.serializers import ProblemItem
from parcels.bookings.rules import BATCH_LIMIT
from parcels.choices import ManifestState, ParcelStatus
from parcels.manifests.rules import MOST_PARCELS, REMARK_LENGTH
from parcels.manifests.texts import OUTCOMES

S = serializers.Serializer[Any]


class ManifestBody(Body):
    """Either `tracking_numbers`, or courier, day and place; together, the latter restrict the former."""

    tracking_numbers = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        min_length=1,
        max_length=BATCH_LIMIT,
        help_text=f"Up to {BATCH_LIMIT:,}. Without courier, day and place, those of the first that fits.",
    )
    courier = PartyField(IdKind.COURIER, required=False, help_text="Its id, as in quotes.")
    day = serializers.DateField(required=False, help_text="The pickup day, as promised.")
    pickup_address = PublicIdField(
        IdKind.PICKUP_ADDRESS, required=False, help_text="One of your pickup addresses."
    )


class PickUpBody(Body):
    picked_up_at = MomentField(
        required=False, help_text="When you took the parcels over; RFC 3339 with an offset. Default: now."
    )
    missing_numbers = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=MOST_PARCELS,
        help_text="Tracking numbers that are on the manifest and were not there.",
    )
    extra_numbers = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=BATCH_LIMIT,
        help_text="Tracking numbers of this merchant that you took over, too.",
    )


class RemoveBody(Body):
    tracking_numbers = serializers.ListField(
        child=serializers.CharField(max_length=64),
        min_length=1,
        max_length=BATCH_LIMIT,
        help_text=f"Up to {BATCH_LIMIT:,} that are on the manifest.",
    )


class RemarkBody(Body):
    remark = serializers.CharField(max_length=REMARK_LENGTH, allow_blank=True)


class PlaceAnswer(S):
    id = PublicIdField(IdKind.PICKUP_ADDRESS)
    name = serializers.CharField()
    address = serializers.CharField()


class CountsAnswer(S):
    listed = serializers.IntegerField(help_text="When it was made, without those taken off since.")
    to_pick_up = serializers.IntegerField()
    picked_up = serializers.IntegerField()
    cancelled = serializers.IntegerField(help_text="By the merchant, before the pickup.")
    missing = serializers.IntegerField()
    extra = serializers.IntegerField(help_text="Handed over beside the list; among those picked up.")
    refused = serializers.IntegerField(help_text="Whose scan was refused.")
    removed = serializers.IntegerField(help_text="Taken off by the merchant while it was open.")


class ManifestAnswer(S):
    manifest_number = serializers.CharField(help_text="The text of its barcode.")
    state = serializers.ChoiceField(choices=ManifestState.choices)
    merchant = PartyField(IdKind.MERCHANT, help_text="Its id.")
    merchant_name = serializers.CharField()
    courier = PartyField(IdKind.COURIER, help_text="Its id.")
    courier_name = serializers.CharField()
    origin = serializers.CharField(help_text="City code.")
    origin_name = serializers.CharField(help_text="In the language of the request.")
    pickup_place = PlaceAnswer(allow_null=True)
    day = serializers.DateField()
    number_of_day = serializers.IntegerField(help_text="A pickup may have several manifests a day.")
    counts = CountsAnswer()
    created_at = serializers.DateTimeField()
    picked_up_at = serializers.DateTimeField(allow_null=True)
    cancelled_at = serializers.DateTimeField(allow_null=True)
    merchant_remark = serializers.CharField()
    courier_remark = serializers.CharField()


class ItemAnswer(S):
    """Of a rejected number: type, detail and errors, as in a problem document."""

    index = serializers.IntegerField()
    tracking_number = serializers.CharField()
    status = serializers.ChoiceField(choices=["accepted", "rejected"])
    type = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = ProblemItem(many=True, required=False)  # type: ignore[assignment]


class MadeAnswer(S):
    manifest = ManifestAnswer()
    has_more = serializers.BooleanField(
        help_text=f"More than {MOST_PARCELS:,} parcels wait: make another manifest."
    )
    results = ItemAnswer(many=True, help_text="One for each number sent, in order.")


class RemovedAnswer(S):
    manifest = ManifestAnswer()
    results = ItemAnswer(many=True, help_text="One for each number sent, in order.")


class PickedUpAnswer(S):
    manifest = ManifestAnswer()
    repeated = serializers.BooleanField(help_text="It was picked up before: nothing was changed.")
    missing_results = ItemAnswer(many=True, help_text="One for each number sent, in order.")
    extra_results = ItemAnswer(many=True)


class ManifestLineAnswer(S):
    tracking_number = serializers.CharField()
    reference = serializers.CharField()
    handover = serializers.ChoiceField(choices=[*OUTCOMES], help_text="What became of it at the pickup.")
    status = serializers.ChoiceField(choices=ParcelStatus.choices)
    destination = serializers.CharField(help_text="City code.")
    destination_name = serializers.CharField(help_text="In the language of the request.")
    weight_g = serializers.IntegerField(allow_null=True)


class LinesAnswer(S):
    results = ManifestLineAnswer(many=True)
    missing_parcels = ManifestLineAnswer(
        many=True, help_text="On the first page: parcels that were not found."
    )
    removed_parcels = ManifestLineAnswer(
        many=True, help_text="On the first page: parcels that were taken off."
    )
    next_after = serializers.CharField(allow_null=True, help_text="Send it as `after` for the next page.")


class ManifestPage(S):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ManifestAnswer(many=True)


class ManifestQuery(S):
    state = WordField(choices=ManifestState.choices, required=False)
    day = serializers.DateField(required=False, help_text="The pickup day.")
