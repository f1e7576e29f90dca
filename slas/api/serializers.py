"""JSON of the service levels: what is read from a query, and what is answered."""

from typing import Any

from rest_framework import serializers

from alliance.identifiers import tracking_number
from slas.choices import CommitmentKind, Outcome, TierCode
from slas.models import Breach
from slas.services.rates import GroupBy


class RatesQuery(serializers.Serializer[Any]):
    """What to ask the on-time rates for."""

    to = serializers.DateField(
        required=False, help_text="Last due date, local where it fell due; today by default."
    )
    kind = serializers.ChoiceField(choices=CommitmentKind.choices, default=CommitmentKind.DELIVERY)
    tier = serializers.ChoiceField(choices=TierCode.choices, required=False)
    courier = serializers.CharField(required=False, help_text="Short name of a courier.")
    group_by = serializers.ChoiceField(choices=[item.value for item in GroupBy], required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" cannot be an attribute's name.
        first = serializers.DateField(
            required=False, help_text="First due date; 29 days before `to` by default."
        )
        return {"from": first, **super().get_fields()}


class CourierName(serializers.Serializer[Any]):
    courier = serializers.CharField(help_text="Short name, as in queries.")
    name = serializers.CharField()


class LaneName(serializers.Serializer[Any]):
    origin = serializers.CharField(help_text="City code.")
    destination = serializers.CharField(help_text="City code.")


class Rate(serializers.Serializer[Any]):
    """On-time rates of one group: shares between 0 and 1, null when there is nothing to judge."""

    day = serializers.DateField(required=False)
    courier = CourierName(required=False)
    lane = LaneName(required=False)
    tier = serializers.ChoiceField(choices=TierCode.choices, required=False)
    met = serializers.IntegerField()
    late = serializers.IntegerField()
    overdue = serializers.IntegerField()
    excused = serializers.IntegerField(help_text="Of late and overdue: not held against the courier.")
    pending = serializers.IntegerField()
    void = serializers.IntegerField()
    n = serializers.IntegerField(help_text="met + late + overdue")
    raw = serializers.FloatField(allow_null=True, help_text="met / n")
    accountable = serializers.FloatField(allow_null=True, help_text="met / (n - excused)")
    lower_bound = serializers.FloatField(
        allow_null=True, help_text="Wilson lower bound (95 %) of the accountable rate."
    )
    provisional = serializers.BooleanField(help_text="A cohort closed less than seven days ago.")
    few = serializers.BooleanField(source="is_few", help_text="n is below 30.")


class RatesAnswer(serializers.Serializer[Any]):
    to = serializers.DateField()
    kind = serializers.ChoiceField(choices=CommitmentKind.choices)
    group_by = serializers.ChoiceField(choices=[item.value for item in GroupBy], allow_null=True)
    results = Rate(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": serializers.DateField(), **super().get_fields()}


class BreachesQuery(serializers.Serializer[Any]):
    """Which breaches to list."""

    state = serializers.ChoiceField(
        choices=["standing", "withdrawn"], required=False, help_text="Both by default."
    )
    kind = serializers.ChoiceField(choices=CommitmentKind.choices, required=False)
    tier = serializers.ChoiceField(choices=TierCode.choices, required=False)


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
