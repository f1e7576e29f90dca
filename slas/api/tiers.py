"""API of the service tiers on sale and their rules."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.fields import MoneyField
from alliance.api.parsing import refuse_unknown_parameters
from slas.choices import TierCode
from slas.promises.prices import CURRENCY, yuan
from slas.promises.rules import CutOff
from slas.promises.tiers_in_force import TierInForce, tiers_with_announced

# To the minute: RFC 3339's "time" has seconds and an offset, which a wall clock does not have.
CLOCK = r"^[0-2][0-9]:[0-5][0-9]$"


class CutOffAnswer(serializers.Serializer[Any]):
    weekday = serializers.IntegerField(help_text="Day of pickup; 1 is Monday.")
    time = serializers.RegexField(CLOCK, help_text="Local time at the origin.")
    day_offset = serializers.IntegerField(help_text="0: the same day; -1: the day before.")


class WeightBandAnswer(serializers.Serializer[Any]):
    up_to_g = serializers.IntegerField()
    surcharge = MoneyField(help_text="CNY, added to the offer's price.")


class TierVersionAnswer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    cut_offs = CutOffAnswer(many=True)
    pickup_by_time = serializers.RegexField(CLOCK, help_text="Local time at the origin.")
    deliver_by_time = serializers.RegexField(CLOCK, help_text="Local time at the destination.")
    days_in_transit = serializers.IntegerField()
    delivery_weekdays = serializers.ListField(child=serializers.IntegerField(), help_text="1 is Monday.")
    works_on_holidays = serializers.BooleanField()
    currency = serializers.CharField()
    weight_bands = WeightBandAnswer(many=True)


class TierAnswer(TierVersionAnswer):
    """A tier with the rules in force now, and the versions announced: bookings go by what is in force."""

    tier = serializers.ChoiceField(choices=TierCode.choices)
    name = serializers.CharField(help_text="In the language of the request.")
    announced = TierVersionAnswer(many=True, help_text="The next version first.")


class TierListView(APIView):
    """Tiers on sale, with the rules in force now."""

    @extend_schema(
        operation_id="tiers_list",
        summary="Service tiers",
        description="The services on sale and their rules: cut-offs, deadlines, days in transit, surcharges; "
        "and rules announced for later.",
        responses=TierAnswer(many=True),
        tags=["reference"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request)
        in_force, announced = tiers_with_announced(timezone.now())
        return Response(
            [
                {
                    "tier": tier.code.value,
                    "name": tier.name,
                    **_version_json(tier),
                    "announced": [_version_json(version) for version in announced.get(code, ())],
                }
                for code, tier in in_force.items()
            ]
        )


def _version_json(tier: TierInForce) -> dict[str, Any]:
    rule = tier.rule
    return {
        "version": rule.version,
        "starts_at": timezone.localtime(tier.valid_from).isoformat(),
        "cut_offs": [_cut_off_json(day + 1, at) for day, at in sorted(rule.cut_offs.items()) if at],
        "pickup_by_time": rule.pickup_by.isoformat("minutes"),
        "deliver_by_time": rule.deliver_by.isoformat("minutes"),
        "days_in_transit": rule.days_in_transit,
        "delivery_weekdays": [day + 1 for day in sorted(rule.delivery_weekdays)],
        "works_on_holidays": rule.works_on_holidays,
        "currency": CURRENCY,
        "weight_bands": [
            {"up_to_g": band.up_to_g, "surcharge": yuan(band.surcharge_fen)} for band in tier.bands
        ],
    }


def _cut_off_json(weekday: int, at: CutOff) -> dict[str, Any]:
    return {"weekday": weekday, "time": at.time.isoformat("minutes"), "day_offset": at.day_offset}
