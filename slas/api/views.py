"""API of the service levels."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.pagination import CursorPagination
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.models import City, Organisation
from alliance.tenancy import Actor, require
from slas.api.serializers import BreachAnswer, BreachesQuery, Rate, RatesAnswer, RatesQuery
from slas.models import Breach, Commitment, ServiceTier
from slas.services.rates import MONTH, GroupBy, RateRow, rates_for


def actor_of(request: Request) -> Actor:
    actor: Actor = request._request.actor  # type: ignore[attr-defined]
    return actor


class RatesView(APIView):
    """On-time rates of what fell due in a period: one's own, or for ops every courier's."""

    @extend_schema(
        operation_id="rates_list",
        summary="On-time rates",
        description="Of what fell due in a period, the last 30 days unless told otherwise: raw and "
        "accountable side by side, with the counts they come from. Couriers see their own, merchants those "
        "of their parcels.",
        parameters=[RatesQuery],
        responses=RatesAnswer,
        tags=["rates"],
    )
    def get(self, request: Request) -> Response:
        query = RatesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        today = timezone.localdate()
        last = asked.get("to", today)
        first = asked.get("from", last - timedelta(days=MONTH - 1))
        group_by = GroupBy(asked["group_by"]) if "group_by" in asked else None
        rows = rates_for(
            actor=actor_of(request),
            first=first,
            last=last,
            today=today,
            group_by=group_by,
            kind=asked["kind"],
            tier_id=_tier_id(asked.get("tier")),
            courier_id=_courier_id(asked.get("courier")),
        )
        answer = {"from": first, "to": last, "kind": asked["kind"], "group_by": group_by and group_by.value}
        return Response({**RatesAnswer({**answer, "results": []}).data, "results": _named(rows, group_by)})


class BreachPagination(CursorPagination):
    ordering = ("-opened_at", "-parcel_id", "kind")  # type: ignore[assignment]
    # One sweep opens thousands at one moment: a cursor counts on within the moment, however many.
    offset_cutoff = None  # type: ignore[assignment]


class BreachesView(generics.ListAPIView[Breach]):
    """Promises not kept, the newest first: one's own, or for ops all."""

    serializer_class = BreachAnswer
    pagination_class = BreachPagination
    filter_backends = ()

    @extend_schema(
        operation_id="breaches_list",
        summary="Breaches",
        description="Promises that were not kept, the newest first, with what became of them since.",
        parameters=[BreachesQuery],
        tags=["rates"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Breach]:
        actor = actor_of(self.request)
        require(actor, Capability.VIEW_RATES)
        query = BreachesQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        commitment = Commitment.objects.filter(parcel_id=OuterRef("parcel_id"), kind=OuterRef("kind"))
        breaches = (
            Breach.objects.visible_to(actor)
            .select_related("courier__organisation", "merchant", "tier")
            .annotate(
                outcome=Subquery(commitment.values("outcome")),
                reached_at=Subquery(commitment.values("reached_at")),
                excused=Subquery(commitment.values("excused")),
            )
        )
        if "state" in asked:
            breaches = breaches.filter(withdrawn_at__isnull=asked["state"] == "standing")
        if "kind" in asked:
            breaches = breaches.filter(kind=asked["kind"])
        if "tier" in asked:
            breaches = breaches.filter(tier_id=_tier_id(asked["tier"]))
        return breaches


def _tier_id(code: str | None) -> int | None:
    if code is None:
        return None
    tier = ServiceTier.objects.filter(code=code).first()
    if tier is None:
        raise InvalidInput(errors=[FieldError("/tier", _("There is no such service."), "unknown")])
    return tier.pk


def _courier_id(slug: str | None) -> int | None:
    if slug is None:
        return None
    # In the asker's scope: a courier finds itself, merchants and ops find every courier.
    courier = Organisation.objects.filter(slug=slug, kind="courier").first()
    if courier is None:
        raise InvalidInput(errors=[FieldError("/courier", _("There is no such courier."), "unknown")])
    return courier.pk


def _named(rows: list[RateRow], group_by: GroupBy | None) -> list[dict[str, Any]]:
    """Rows as JSON, each with the outside name of its group."""
    name = _namer([row.group for row in rows], group_by)
    return [{**name(row.group), **Rate(row).data} for row in rows]


def _namer(groups: Iterable[Any], group_by: GroupBy | None) -> Callable[[Any], dict[str, Any]]:
    match group_by:
        case GroupBy.DAY:
            return lambda day: {"day": day.isoformat()}
        case GroupBy.COURIER:
            couriers = Organisation.objects.in_bulk(list(groups))
            return lambda pk: {"courier": {"courier": couriers[pk].slug, "name": couriers[pk].name}}
        case GroupBy.LANE:
            cities = City.objects.in_bulk({city for lane in groups for city in lane})
            return lambda lane: {
                "lane": {"origin": cities[lane[0]].code, "destination": cities[lane[1]].code}
            }
        case GroupBy.TIER:
            tiers = ServiceTier.objects.in_bulk(list(groups))
            return lambda pk: {"tier": tiers[pk].code}
        case None:
            return lambda _group: {}
