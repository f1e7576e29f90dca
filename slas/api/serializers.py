"""JSON of the service levels: what is read from a query, and what is answered."""

from typing import Any

from rest_framework import serializers

from alliance.api.parsing import WordField
from alliance.identifiers import tracking_number
from slas.choices import CommitmentKind, Outcome, TierCode
from slas.models import Breach


class BreachesQuery(serializers.Serializer[Any]):
    """Which breaches to list."""

    state = WordField(choices=["standing", "withdrawn"], required=False, help_text="Both by default.")
    kind = WordField(choices=CommitmentKind.choices, required=False)
    tier = WordField(choices=TierCode.choices, required=False)


class BreachAnswer(serializers.ModelSerializer[Breach]):
    """A promise that was not kept, and what became of it since."""

    number = serializers.SerializerMethodField(help_text="The parcel's tracking number.")
    courier = serializers.CharField(source="courier.organisation.slug")
    merchant = serializers.CharField(source="merchant.slug")
    tier = serializers.CharField(source="tier.code")
    outcome = serializers.ChoiceField(choices=Outcome.choices, help_text="What the promise is judged as now.")
    reached_at = serializers.DateTimeField(allow_null=True)
    excused = serializers.BooleanField()

    class Meta:
        model = Breach
        fields = (
            "number", "kind", "courier", "merchant", "tier", "due_at", "reached_at", "outcome", "excused",
            "opened_at", "withdrawn_at",
        )  # fmt: skip

    def get_number(self, breach: Breach) -> str:
        return tracking_number(breach.parcel_id)
