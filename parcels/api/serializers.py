"""Schema of quotes and parcels; request bodies are parsed by `parcels.api.booking_bodies`."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from alliance.api.fields import MoneyField
from alliance.api.parsing import WordField
from alliance.api.public_ids import PartyField, PublicIdField
from alliance.public_ids import IdKind
from alliance.wording import amount
from couriers.choices import Grade
from parcels.bookings.rules import BATCH_LIMIT, MOST_PIECES, IfFull
from parcels.choices import Contradiction, ParcelStatus
from parcels.lists.filters import Due, Lateness, YesNo
from parcels.tracking.arrivals import Precision
from slas.choices import TierCode
from slas.forecasts.rules import Basis
from slas.promises.prices import yuan

S = serializers.Serializer[Any]
MOST_DECLARED = amount(yuan(settings.DECLARED_VALUE_LIMIT_FEN))
CITY_HELP = "City code, or its name if unambiguous: CN-HGH, Hangzhou, 杭州."


class ExpectedArrival(S):
    """The next attempt to expect, by parcels of 28 days that had come as far with as much time left."""

    p50_at = serializers.DateTimeField(help_text="Half of similar parcels are attempted by then.")
    p90_at = serializers.DateTimeField(help_text="90 % of similar parcels are attempted by then.")
    precision = serializers.ChoiceField(
        choices=[precision.value for precision in Precision], help_text="How exactly the times are known."
    )
    chance_late = serializers.FloatField(allow_null=True, help_text="0 to 1; null without enough data.")
    basis = serializers.ChoiceField(
        choices=[basis.value for basis in Basis],
        help_text="The parcels it is based on: the courier's on this lane, all of the courier's, all "
        "couriers' on this lane, or all parcels; with `promise` there is no data and both times are the "
        "promise; `next_attempt` is the day of the next one after a failed attempt, `round` that "
        "of the present delivery round.",
    )


class QuoteBody(S):
    """What is to be carried. The origin may be left to a pickup address."""

    origin = serializers.CharField(max_length=120, required=False, help_text=CITY_HELP)
    pickup_address = PublicIdField(
        IdKind.PICKUP_ADDRESS, required=False, allow_null=True, help_text="One of your pickup addresses."
    )
    destination = serializers.CharField(max_length=120, help_text=CITY_HELP)
    weight_g = serializers.IntegerField(min_value=1)
    ready_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="RFC 3339 with an offset. Default: now."
    )
    tier = WordField(choices=TierCode.choices, required=False, help_text="Default: all tiers.")
    reference = serializers.CharField(
        max_length=64,
        required=False,
        help_text="The reference it will be booked with: your allocation rules may look at it.",
    )
    declared_value = MoneyField(
        required=False,
        allow_null=True,
        help_text="CNY, a decimal: what the courier owes if the parcel is lost. Costs nothing; the limit is "
        f"{MOST_DECLARED}. Without it, or with 0, the tier's amount for a lost parcel holds.",
    )


class RecipientBody(S):
    name = serializers.CharField(max_length=120)
    phone = serializers.CharField(max_length=40)
    address = serializers.CharField(max_length=300)


class PieceBody(S):
    """One of an order's parcels."""

    weight_g = serializers.IntegerField(min_value=1)
    expected_price = MoneyField(
        required=False, allow_null=True, help_text="The price of this parcel as quoted for its weight."
    )
    declared_value = MoneyField(
        required=False, allow_null=True, help_text="In CNY: what its courier owes if it is lost."
    )


class BookingBody(QuoteBody):
    """One parcel to be booked, or an order of several."""

    weight_g = serializers.IntegerField(
        min_value=1, required=False, help_text="Required, unless `pieces` are given: each has its own."
    )
    pieces = PieceBody(
        many=True,
        required=False,
        allow_null=True,
        help_text=f"The parcels of an order, 1 to {MOST_PIECES}, instead of `weight_g`, `expected_price` and "
        "`declared_value`: they go to one courier with one promise, each with its own number and price.",
    )

    tier = WordField(choices=TierCode.choices)
    recipient = RecipientBody(required=False, allow_null=True, help_text="This or `recipient_id`.")
    recipient_id = PublicIdField(
        IdKind.RECIPIENT,
        required=False,
        allow_null=True,
        help_text="`id` of a saved recipient in the destination city, instead of `recipient`.",
    )
    reference = serializers.CharField(
        max_length=64, required=False, help_text="Your own number for the parcel; need not be unique."
    )
    courier = PartyField(
        IdKind.COURIER,
        required=False,
        help_text="Id of a courier, as in the quote: books with this courier on the promised day, or "
        "is refused. Default: the recommended courier.",
    )
    expected_deliver_by = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="`promise.current` as quoted: books only if a quote would still say so; otherwise 409 "
        "`promise_changed`, with what can be booked now in `available`.",
    )
    expected_pickup_by = serializers.DateTimeField(
        required=False, allow_null=True, help_text="`promise.pickup_by` as quoted; the same."
    )
    expected_price = MoneyField(
        required=False,
        allow_null=True,
        help_text="`price` as quoted: books only at this price; otherwise 409 `price_changed`, with the new "
        "price in `available`.",
    )
    if_full = WordField(
        choices=[item.value for item in IfFull],
        default=IfFull.REFUSE.value,
        help_text="Without a courier or an expected promise: `next` takes the next courier, then the next "
        "day, as quoted; `refuse` answers 409 `capacity_full` instead of moving to another day.",
    )


class BatchObjectBody(S):
    parcels = BookingBody(many=True, help_text=f"1 to {BATCH_LIMIT:,}.")


class CityAnswer(S):
    code = serializers.CharField()
    name = serializers.CharField(help_text="In the language of the request.")
    name_en = serializers.CharField()
    name_zh = serializers.CharField()
    province = serializers.CharField()
    country = serializers.CharField()
    time_zone = serializers.CharField()


class StepAnswer(S):
    """One sentence of why a promise is what it is."""

    code = serializers.CharField()
    day = serializers.DateField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)
    text = serializers.CharField()


class PromiseAnswer(S):
    """Times carry the local offset of the end they belong to."""

    original = serializers.DateTimeField(help_text="Delivery as promised. It never changes.")
    current = serializers.DateTimeField(
        help_text="Delivery as agreed now: the same, until another day is agreed on."
    )
    pickup_date = serializers.DateField()
    pickup_by = serializers.DateTimeField()
    cut_off_at = serializers.DateTimeField(help_text="The cut-off for this pickup day.")
    rolled = serializers.BooleanField(help_text="Pickup is later than requested.")
    rolled_days = serializers.IntegerField()
    full_on = serializers.ListField(child=serializers.DateField(), help_text="Earlier days that are full.")
    note = serializers.CharField(help_text="Why pickup is later than requested; empty if it is not.")
    tier_version = serializers.IntegerField(help_text="Version of the tier's rules.")
    steps = StepAnswer(many=True, required=False, help_text="Left out in batches.")


class OnTimeAnswer(S):
    """The courier's deliveries on this lane and tier that fell due in the last 30 days."""

    days = serializers.IntegerField()
    n = serializers.IntegerField(help_text="Parcels judged, without exempt ones.")
    accountable_rate = serializers.FloatField(allow_null=True, help_text="Without exempt ones.")
    raw_rate = serializers.FloatField(allow_null=True)
    lower_bound = serializers.FloatField(allow_null=True, help_text="Wilson, 95 %.")
    excused = serializers.IntegerField()
    few = serializers.BooleanField(help_text="n is below 30: combined with the average for the ranking.")


class RuleAnswer(S):
    id = PublicIdField(IdKind.ALLOCATION_RULE)
    name = serializers.CharField()


class ReasonAnswer(S):
    code = serializers.CharField(help_text="`rule` if a rule of the merchant's decides.")
    text = serializers.CharField()
    rule = RuleAnswer(allow_null=True, help_text="The merchant's rule that decides, or limits the choice.")


class InsteadAnswer(S):
    courier = PartyField(
        IdKind.COURIER,
        allow_null=True,
        help_text="The courier with capacity on the first day; null if there is none.",
    )
    day = serializers.DateField(allow_null=True, help_text="This courier's next day with capacity.")


class OfferAnswer(S):
    courier = PartyField(IdKind.COURIER, help_text="Its id, for booking.")
    courier_name = serializers.CharField()
    grade = serializers.ChoiceField(
        choices=Grade.choices, help_text="From its newest final scorecard; couriers on probation come last."
    )
    tier = serializers.ChoiceField(choices=TierCode.choices)
    price = MoneyField(help_text="CNY, a decimal.")
    promise = PromiseAnswer()
    capacity_left = serializers.IntegerField(help_text="On the promise's pickup day.")
    full = serializers.BooleanField(help_text="No day within the search has capacity.")
    instead = InsteadAnswer(allow_null=True, help_text="If the first day is full: the next option.")
    cut_off_in_seconds = serializers.IntegerField()
    on_time = OnTimeAnswer()
    recommended = serializers.BooleanField(help_text="Used by a booking without a courier; one per tier.")
    ranking_reason = ReasonAnswer(allow_null=True)


class UnavailableAnswer(S):
    tier = serializers.ChoiceField(choices=TierCode.choices)
    code = serializers.CharField()
    detail = serializers.CharField()


class QuoteAnswer(S):
    quoted_at = serializers.DateTimeField()
    origin = serializers.CharField(help_text="City code.")
    origin_name = serializers.CharField(help_text="In the language of the request.")
    destination = serializers.CharField(help_text="City code.")
    destination_name = serializers.CharField(help_text="In the language of the request.")
    weight_g = serializers.IntegerField()
    ready_at = serializers.DateTimeField()
    currency = serializers.CharField()
    offers = OfferAnswer(many=True)
    unavailable = UnavailableAnswer(many=True)


class BookedPieceAnswer(S):
    tracking_number = serializers.CharField()
    piece = serializers.IntegerField(help_text="Which of the order's parcels, from 1.")
    piece_count = serializers.IntegerField(help_text="How many they are.")
    weight_g = serializers.IntegerField()
    price = MoneyField()
    declared_value = MoneyField(allow_null=True)


class ProblemItem(S):
    pointer = serializers.CharField(help_text="JSON pointer (RFC 6901) into the request.")
    detail = serializers.CharField()
    code = serializers.CharField()


class AvailablePromise(S):
    original = serializers.DateTimeField()
    current = serializers.DateTimeField()
    pickup_date = serializers.DateField()
    pickup_by = serializers.DateTimeField()


class AvailableAnswer(S):
    """What can be booked now: send the values as `courier` and `expected_...` to book it."""

    courier = PartyField(IdKind.COURIER)
    courier_name = serializers.CharField()
    tier = serializers.ChoiceField(choices=TierCode.choices)
    price = MoneyField()
    currency = serializers.CharField()
    promise = AvailablePromise()


class BatchItemAnswer(S):
    """Of a rejected item: type, detail and errors, as in a problem document."""

    index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["booked", "rejected"])
    tracking_number = serializers.CharField(required=False)
    reference = serializers.CharField(required=False)
    tier = serializers.CharField(required=False)
    courier = PartyField(IdKind.COURIER, required=False)
    courier_name = serializers.CharField(required=False)
    price = MoneyField(required=False)
    currency = serializers.CharField(required=False)
    declared_value = MoneyField(required=False, allow_null=True)
    promise = PromiseAnswer(required=False)
    total_price = MoneyField(required=False)
    parcels = BookedPieceAnswer(many=True, required=False)
    type = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = ProblemItem(many=True, required=False)  # type: ignore[assignment]
    available = AvailableAnswer(required=False, allow_null=True)


class BatchAnswer(S):
    booked = serializers.IntegerField(help_text="Items: an order is one, whatever it holds.")
    rejected = serializers.IntegerField()
    results = BatchItemAnswer(many=True)


class BatchCancelItem(S):
    """Of a rejected number: type, detail and errors, as in a problem document."""

    index = serializers.IntegerField()
    tracking_number = serializers.CharField(required=False, help_text="As it was sent, if it was rejected.")
    status = serializers.ChoiceField(choices=["cancelled", "rejected"])
    cancelled_at = serializers.DateTimeField(required=False)
    type = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = ProblemItem(many=True, required=False)  # type: ignore[assignment]


class BatchCancelAnswer(S):
    cancelled = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = BatchCancelItem(many=True)


class ParcelRule(S):
    position = serializers.IntegerField(help_text="Its place in the list then.")
    name = serializers.CharField(help_text="Its name then.")


class ParcelFields(S):
    """What of a parcel its merchant and its courier see beside its state."""

    tracking_number = serializers.CharField()
    reference = serializers.CharField()
    piece = serializers.IntegerField(help_text="Which parcel of its order, from 1.")
    piece_count = serializers.IntegerField(help_text="How many parcels the order was booked with; alone: 1.")
    order = serializers.CharField(
        allow_null=True, help_text="Tracking number of the order's first parcel; null for a parcel alone."
    )
    contradiction = serializers.ChoiceField(
        choices=Contradiction.choices, allow_null=True, help_text="How its scans contradict each other."
    )
    tier = serializers.CharField()
    is_test = serializers.BooleanField(help_text="Booked in test mode: nobody carries it.")
    merchant = PartyField(IdKind.MERCHANT)
    merchant_name = serializers.CharField()
    courier = PartyField(IdKind.COURIER)
    courier_name = serializers.CharField()
    origin = serializers.CharField(help_text="City code.")
    origin_name = serializers.CharField(help_text="In the language of the request.")
    destination = serializers.CharField(help_text="City code.")
    destination_name = serializers.CharField(help_text="In the language of the request.")
    weight_g = serializers.IntegerField(allow_null=True)
    declared_value = MoneyField(allow_null=True, help_text="CNY; null if none was declared.")
    price = MoneyField(
        allow_null=True, required=False, help_text="Left out without the permission to book or to see fees."
    )
    currency = serializers.CharField(required=False)
    rule = ParcelRule(
        allow_null=True,
        required=False,
        help_text="The allocation rule of yours by which the courier was chosen; null if none was. For "
        "merchants only.",
    )
    booked_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)
    cancelled_at = serializers.DateTimeField(allow_null=True)
    recipient = RecipientBody(help_text="Masked unless requested with `unmask`; empty once erased.")
    sender = RecipientBody(
        allow_null=True,
        help_text="Of a return: whom it is collected from, masked as the recipient is. Null for other "
        "parcels, and for what was refused: the courier that has it hands it over.",
    )
    return_of = serializers.CharField(
        allow_null=True, help_text="Of a return: the number of the parcel that it brings back."
    )
    returned_by = serializers.CharField(allow_null=True, help_text="The number of its latest return.")
    return_cancelled_at = serializers.DateTimeField(
        allow_null=True, help_text="When that return was cancelled; another one may be issued then."
    )
    recipient_erased_at = serializers.DateTimeField(
        allow_null=True, help_text="When the recipient's data were erased."
    )


class UnmaskQuery(S):
    unmask = serializers.BooleanField(
        default=False, help_text="Recipients in full; needs the permission, and is logged."
    )


class ParcelsQuery(UnmaskQuery):
    """Which parcels to list; read by `parcels.lists.filters.ParcelFilter`."""

    status = serializers.MultipleChoiceField(choices=ParcelStatus.choices, required=False)
    tier = WordField(choices=TierCode.choices, required=False)
    origin = serializers.CharField(max_length=80, required=False, help_text=CITY_HELP)
    destination = serializers.CharField(max_length=80, required=False, help_text=CITY_HELP)
    booked_from = serializers.DateField(required=False, help_text="First day of booking.")
    booked_to = serializers.DateField(required=False, help_text="Last day of booking.")
    late = WordField(choices=Lateness.choices, required=False)
    due = WordField(
        choices=Due.choices, required=False, help_text="Parcels still to come, by the day at the destination."
    )
    is_return = WordField(
        choices=YesNo.choices, required=False, help_text="Whether they bring other parcels back."
    )
    has_return = WordField(
        choices=YesNo.choices, required=False, help_text="Whether a return was issued and not cancelled."
    )
    search = serializers.CharField(
        max_length=80, required=False, help_text="A tracking number, or the start of a reference."
    )
