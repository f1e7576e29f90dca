"""API of the watch list."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.pagination import seal_of, wrong_cursor
from alliance.api.parsing import WordField, refuse_unknown_parameters
from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.tenancy import Actor, require
from parcels.api.answers import parcels_json
from parcels.api.states import ParcelAnswer
from parcels.watch_list.queries import Place, Watched, WatchQuery, page_of_watched, refreshed_at
from slas.choices import Stage, TierCode, WatchReason

PAGE_SIZE, MOST_A_PAGE = 50, 500
CURSORS = ("cursor", "before")
S = serializers.Serializer[Any]


class WatchParameters(S):
    """What of the list is wanted."""

    reason = WordField(choices=WatchReason.choices, required=False)
    tier = WordField(choices=TierCode.choices, required=False)
    chance_late = serializers.FloatField(
        min_value=0,
        max_value=1,
        required=False,
        help_text="Minimum chance of being late. Without it, parcels whose only reason is `at_risk` are "
        "listed from 0.5; with it, every parcel at least as likely to be late, from 0.05.",
    )
    page_size = serializers.IntegerField(
        min_value=1, max_value=MOST_A_PAGE, default=PAGE_SIZE, required=False
    )


class WatchedAnswer(ParcelAnswer):
    """One parcel to look at, as elsewhere, and why."""

    reasons = serializers.ListField(
        child=serializers.ChoiceField(choices=WatchReason.choices), help_text="Most urgent first."
    )
    stage = serializers.ChoiceField(choices=Stage.choices, help_text="Progress of the parcel.")
    stage_at = serializers.DateTimeField(help_text="When it reached that stage.")
    last_scan_at = serializers.DateTimeField(allow_null=True)
    chance_late = serializers.FloatField(
        help_text="0 to 1 when the list was calculated; 1 if past due, at least 0.9 if held or damaged, at "
        "least 0.5 after a failed attempt that does not count."
    )


class WatchAnswer(S):
    next = serializers.URLField(allow_null=True, help_text="Address of the next page.")
    previous = serializers.URLField(allow_null=True)
    refreshed_at = serializers.DateTimeField(
        allow_null=True, help_text="When the list was last calculated; null if it is empty."
    )
    results = WatchedAnswer(many=True)


class WatchView(APIView):
    """Parcels to look at: late, stuck, silent, or likely to miss their promise."""

    @extend_schema(
        operation_id="watch_list",
        summary="Watch list",
        description="Your parcels that are late or at risk. Parcels due within three hours are checked every "
        "five minutes, later ones every half hour. Parcels in trouble (held, damaged, or after a failed "
        "attempt) come first; in both parts those that can still be on time by due time, then by the "
        "chance of being late, and then overdue parcels.",
        parameters=[
            WatchParameters,
            OpenApiParameter("cursor", str, description="From `next`."),
            OpenApiParameter("before", str, description="From `previous`."),
        ],
        responses=WatchAnswer,
        tags=["parcels"],
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.VIEW_PARCELS)
        refuse_unknown_parameters(request, *WatchParameters().fields, *CURSORS)
        parameters = WatchParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        query_params = parameters.validated_data
        reason = query_params.get("reason")
        query = WatchQuery(
            reason=reason and WatchReason(reason),
            tier=query_params.get("tier"),
            chance=query_params.get("chance_late"),
        )
        page = page_of_watched(
            actor,
            query,
            size=query_params["page_size"],
            now=timezone.now(),
            after=_cursor(request, "cursor"),
            before=_cursor(request, "before"),
            is_exact=True,
        )
        last_refresh = refreshed_at(actor)
        return Response(
            {
                "next": page.after and _url(request, cursor=page.after),
                "previous": page.before and _url(request, before=page.before),
                "refreshed_at": last_refresh and timezone.localtime(last_refresh).isoformat(),
                "results": _watched_json(actor, page.watched),
            }
        )


def _watched_json(actor: Actor, page: Sequence[Watched]) -> list[dict[str, Any]]:
    states = {watched.parcel.pk: watched.state for watched in page}
    parcels = parcels_json(actor, [watched.parcel for watched in page], states=states)
    return [{**parcel, **_why_json(watched)} for parcel, watched in zip(parcels, page, strict=True)]


def _why_json(watched: Watched) -> dict[str, Any]:
    item, parcel, zone = watched.item, watched.parcel, watched.parcel.destination.time_zone
    last_scan_at = parcel.last_scan_at
    return {
        "reasons": [reason.value for reason in watched.reasons],
        "stage": item.stage,
        "stage_at": local_clock(item.stage_at, zone).isoformat(),
        "last_scan_at": last_scan_at and local_clock(last_scan_at, zone).isoformat(),
        "chance_late": round(item.chance, 4),
    }


def _cursor(request: Request, name: str) -> str:
    sealed: str = request.query_params.get(name, "")
    text = seal_of(request).open(sealed) if sealed else ""
    if text is None or (text and Place.read(text) is None):
        raise wrong_cursor(name)
    return text


def _url(request: Request, **cursors: Place | str) -> str:
    query = {name: str(value) for name, value in request.query_params.items() if name not in CURSORS}
    query |= {name: seal_of(request).close(str(cursor)) for name, cursor in cursors.items()}
    return request.build_absolute_uri(f"{reverse('api:parcels:watch_list')}?{urlencode(query)}")
