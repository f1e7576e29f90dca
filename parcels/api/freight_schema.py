"""Schema of freight: bodies, parameters and answers."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers

from alliance.api.fields import MONTH as MONTH_PATTERN
from alliance.api.fields import MoneyField, MonthField
from alliance.api.parsing import Body, WordField
from alliance.api.public_ids import PartyField, PublicIdField, party_pattern
from alliance.public_ids import IdKind, public_id
from parcels.choices import FreightKind
from parcels.freight.services.settling import NOTE_LENGTH, REFERENCE_LENGTH
from parcels.freight.services.surcharges import MOST_FEN, REASON_LENGTH
from slas.choices import CreditCause, TierCode
from slas.promises.prices import InvalidAmount, signed_fen_from_yuan, yuan

S = serializers.Serializer[Any]
TAG: Final = "freight statements"
# Counterparties in an answer.
PARTS: Final = 100
OF_WHOM: Final = OpenApiParameter(
    "organisation",
    {"type": "string", "pattern": party_pattern(IdKind.COURIER, IdKind.MERCHANT)},
    description="Required for ops, not allowed otherwise: the id of a merchant or courier.",
)
MONTH: Final = OpenApiParameter(
    "month", str, OpenApiParameter.PATH, description="YYYY-MM, in Beijing time.", pattern=MONTH_PATTERN
)
CURSOR: Final = OpenApiParameter("cursor", str, description="From `next`.")
PAGE_SIZE: Final = OpenApiParameter("page_size", int, description="50 by default, 500 at most.")
KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Any text of up to 255 characters. Sent again within 24 hours with the same body, it gets "
    "the same answer, and nothing is done twice.",
)
_OF_OPS: Final = "Required for ops, not allowed otherwise: the id of "


class SignedPriceField(MoneyField):
    """An amount in yuan as text, which may be negative; fen inside."""

    is_signed = True

    def to_internal_value(self, data: Any) -> Any:
        try:
            return signed_fen_from_yuan(super().to_internal_value(data))
        except InvalidAmount as error:
            raise serializers.ValidationError(error.message, code=error.code) from None


class FreightAnswer(S):
    """Money in CNY as decimal strings; `amount_due` is fees and surcharges less cancellations and credits."""

    booked = serializers.IntegerField()
    fees = MoneyField()
    cancelled = serializers.IntegerField()
    cancellations = MoneyField(help_text="Not positive.")
    surcharges = MoneyField()
    credits = MoneyField(help_text="What credits take off: the statement's total, negative.")
    amount_due = MoneyField(help_text="From merchant to courier; below zero the other way.")


class FreightMonthAnswer(FreightAnswer):
    month = MonthField(help_text="YYYY-MM.")
    state = serializers.ChoiceField(choices=["open", "final"])
    closed_at = serializers.DateTimeField(allow_null=True)
    counted_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Of when fees and cancellations of an open month are; null before the first count, and "
        "for a final month, which does not change.",
    )
    currency = serializers.CharField()


class FreightMonthsAnswer(S):
    organisation = PartyField(IdKind.COURIER, IdKind.MERCHANT)
    organisation_name = serializers.CharField()
    results = FreightMonthAnswer(many=True)


class FreightPartAnswer(FreightAnswer):
    code = serializers.CharField(help_text="Its id.")
    name = serializers.CharField()
    settled_on = serializers.DateField(allow_null=True, help_text="Of a final month that is settled.")
    settled_reference = serializers.CharField()
    settled_note = serializers.CharField()


class FreightStatementAnswer(FreightMonthAnswer):
    organisation = PartyField(IdKind.COURIER, IdKind.MERCHANT)
    organisation_name = serializers.CharField()
    by_counterparty = FreightPartAnswer(many=True, help_text=f"{PARTS} at most: see the next page.")
    next_counterparties = serializers.URLField(
        allow_null=True, help_text="The same month with the counterparties that follow; null after the last."
    )


class FreightLinesQuery(S):
    entry = WordField(choices=FreightKind.choices, required=False, help_text="Only lines of this kind.")


class FreightLineAnswer(S):
    """A line; in an open month also of what came since `counted_at`."""

    entry = serializers.ChoiceField(choices=FreightKind.choices)
    written_at = serializers.DateTimeField(help_text="When it was booked, cancelled, entered or credited.")
    tracking_number = serializers.CharField(allow_null=True, help_text="Null for a surcharge without one.")
    reference = serializers.CharField(help_text="Of fees and cancellations: the merchant's own number.")
    tier = serializers.ChoiceField(choices=TierCode.choices, allow_null=True)
    counterparty = PartyField(IdKind.COURIER, IdKind.MERCHANT, help_text="For a courier the merchant.")
    amount = MoneyField(help_text="Cancellations and credits take off.")
    currency = serializers.CharField()
    surcharge_id = PublicIdField(IdKind.SURCHARGE, allow_null=True)
    reason = serializers.CharField(help_text="Of a surcharge.")
    cause = serializers.ChoiceField(choices=CreditCause.choices, allow_null=True, help_text="Of a credit.")


class FreightLinesAnswer(S):
    next = serializers.URLField(allow_null=True)
    results = FreightLineAnswer(many=True)


class SettleBody(Body):
    organisation = PartyField(
        IdKind.COURIER, IdKind.MERCHANT, required=False, help_text=f"{_OF_OPS}the merchant or courier."
    )
    counterparty = PartyField(IdKind.COURIER, IdKind.MERCHANT, help_text="For a courier the merchant.")
    settled_on = serializers.DateField(help_text="The day of the payment, not before the month nor to come.")
    reference = serializers.CharField(
        required=False, allow_blank=True, max_length=REFERENCE_LENGTH, help_text="Of the payment."
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=NOTE_LENGTH)


class UnsettleBody(Body):
    organisation = PartyField(
        IdKind.COURIER, IdKind.MERCHANT, required=False, help_text=f"{_OF_OPS}the merchant or courier."
    )
    counterparty = PartyField(IdKind.COURIER, IdKind.MERCHANT, help_text="Its id.")
    reason = serializers.CharField(max_length=REASON_LENGTH, help_text="For the audit trail.")


class SurchargeBody(Body):
    courier = PartyField(IdKind.COURIER, required=False, help_text=f"{_OF_OPS}the courier.")
    merchant = PartyField(IdKind.MERCHANT, help_text="Id of one of its merchants.")
    month = MonthField(
        required=False, max_length=7, help_text="YYYY-MM, in Beijing time. Default: the current one."
    )
    amount = SignedPriceField(
        help_text=f"CNY, a decimal; negative to take off. Up to {yuan(MOST_FEN)} either way."
    )
    reason = serializers.CharField(
        max_length=REASON_LENGTH, help_text="Kept with the statement: without names and phone numbers."
    )
    tracking_number = serializers.CharField(
        required=False, allow_null=True, max_length=20, help_text="Of the parcel it is for, if it is for one."
    )


class WithdrawBody(Body):
    reason = serializers.CharField(max_length=REASON_LENGTH)


class SurchargeAnswer(S):
    """A surcharge: never changed; one is withdrawn by another of the opposite amount."""

    id = PublicIdField(IdKind.SURCHARGE)
    month = MonthField(help_text="YYYY-MM.")
    merchant = PartyField(IdKind.MERCHANT, help_text="Its id.")
    courier = PartyField(IdKind.COURIER, help_text="Its id.")
    amount = MoneyField(help_text="CNY; negative where it takes off.")
    currency = serializers.CharField()
    reason = serializers.CharField()
    tracking_number = serializers.CharField(allow_null=True)
    written_at = serializers.DateTimeField()
    withdraws = PublicIdField(
        IdKind.SURCHARGE, allow_null=True, help_text="The surcharge that it takes back."
    )
    withdrawn_by = PublicIdField(IdKind.SURCHARGE, allow_null=True, help_text="What takes it back.")


class SurchargesQuery(S):
    month = MonthField(required=False, help_text="YYYY-MM.")
    counterparty = PartyField(
        IdKind.COURIER, IdKind.MERCHANT, required=False, help_text="Id of the courier or merchant."
    )


class SurchargePage(S):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SurchargeAnswer(many=True)


_COURIER: Final = public_id(IdKind.COURIER, 21)
_MERCHANT: Final = public_id(IdKind.MERCHANT, 35)
_ID: Final = public_id(IdKind.SURCHARGE, 4211)
_SURCHARGE: Final[dict[str, Any]] = {
    "id": _ID,
    "month": "2026-11",
    "merchant": _MERCHANT,
    "courier": _COURIER,
    "amount": "12.50",
    "currency": "CNY",
    "reason": "Remote area",
    "tracking_number": "CA7K2M9Q4X1C0",
    "written_at": "2026-11-23T17:40:00+08:00",
    "withdraws": None,
    "withdrawn_by": None,
}
SURCHARGE: Final = [
    OpenApiExample(
        "For a parcel",
        value={
            "merchant": _MERCHANT, "month": "2026-11", "amount": "12.50", "reason": "Remote area",
            "tracking_number": "CA7K2M9Q4X1C0",
        },
        request_only=True,
    ),
    OpenApiExample("Entered", value=_SURCHARGE, response_only=True, status_codes=["201"]),
]  # fmt: skip
WITHDRAWAL: Final = [
    OpenApiExample("Entered twice", value={"reason": "Entered twice"}, request_only=True),
    OpenApiExample(
        "Taken back",
        value={
            **_SURCHARGE,
            "id": public_id(IdKind.SURCHARGE, 4212),
            "amount": "-12.50",
            "reason": "Entered twice",
            "withdraws": _ID,
        },
        response_only=True,
    ),
]
PAYMENT: Final = [
    OpenApiExample(
        "By bank transfer",
        value={"counterparty": _MERCHANT, "settled_on": "2026-12-05", "reference": "TT-20261205-1"},
        request_only=True,
    ),
]
NOT_PAID: Final = [
    OpenApiExample(
        "It bounced",
        value={"counterparty": _MERCHANT, "reason": "The transfer bounced"},
        request_only=True,
    ),
]
