"""The public tracking API: no key, no personal data, limited calls per minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from alliance.api.parsing import refuse_unknown_parameters
from alliance.clocks import zone as zone_of
from alliance.web.http import limit_by_address, scoped_by_itself
from parcels.api import examples
from parcels.api.revisions import PublicRevision, revision_json
from parcels.api.serializers import ExpectedArrival
from parcels.choices import ParcelStatus, ScanCode
from parcels.scans.places import public_place
from parcels.scans.rules import AFTERSHIP, EASYPOST, KUAIDI100
from parcels.scans.timelines import TrackedScan
from parcels.tracking.arrivals import arrival_json
from parcels.tracking.queries import PublicParcel, look_up, read_number
from parcels.tracking.steps import EXPLANATIONS
from slas.choices import Outcome, TierCode

BUCKET = "tracking"
S = serializers.Serializer[Any]


class TrackedCity(S):
    code = serializers.CharField()
    name = serializers.CharField()
    time_zone = serializers.CharField()


class TrackedPromise(S):
    """What was promised, and how that stands at this moment."""

    deliver_by = serializers.DateTimeField(help_text="The time that on-time is judged by.")
    original_deliver_by = serializers.DateTimeField(help_text="The original promise. It never changes.")
    revisions = PublicRevision(many=True, help_text="Agreed date changes, oldest first.")
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    reached_at = serializers.DateTimeField(allow_null=True, help_text="First valid attempt or delivery.")
    late = serializers.BooleanField()
    late_by_seconds = serializers.IntegerField(allow_null=True)


class TrackedEvent(S):
    code = serializers.ChoiceField(choices=ScanCode.choices)
    text = serializers.CharField(help_text="In the language of the request.")
    occurred_at = serializers.DateTimeField()
    facility = serializers.CharField(
        help_text="As sent, if made of a city, words for facilities and short codes; else the city."
    )
    reason = serializers.CharField()
    withdrawn = serializers.BooleanField(help_text="Withdrawn by a later correction.")


class Equivalents(S):
    """The status in vocabularies that other systems use."""

    aftership = serializers.CharField()
    easypost = serializers.CharField()
    kuaidi100 = serializers.CharField()


class TrackingAnswer(S):
    """Where a parcel is and when it comes. Times carry the destination's offset."""

    tracking_number = serializers.CharField()
    status = serializers.ChoiceField(choices=ParcelStatus.choices)
    status_text = serializers.CharField()
    explanation = serializers.CharField()
    status_at = serializers.DateTimeField()
    equivalents = Equivalents()
    courier = serializers.CharField()
    tier = serializers.ChoiceField(choices=TierCode.choices)
    origin = TrackedCity()
    destination = TrackedCity()
    promise = TrackedPromise(allow_null=True, help_text="Null if there is no promise any more.")
    expected = ExpectedArrival(allow_null=True, help_text="Null once attempted, or if unknown.")
    events = TrackedEvent(many=True, help_text="Latest first.")


class TrackingView(APIView):
    """One parcel; public for anyone with its number."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    # Limited by IP address, in the same bucket as the page.
    throttle_classes = ()

    @extend_schema(
        operation_id="tracking_retrieve",
        summary="Track a parcel",
        description="Needs no key. 404 `bad_tracking_number` for a mistyped number, 404 "
        "`unknown_tracking_number` if no parcel has it; 429 with Retry-After beyond the rate limit "
        "of an address.",
        responses=TrackingAnswer,
        examples=examples.TRACKING,
        auth=[],
        tags=["tracking"],
    )
    def get(self, request: Request, number: str) -> HttpResponse:
        return _answer(request._request, number, parameters=request)  # noqa: SLF001

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        # DRF's overhead takes longer than the answer itself: plain requests bypass it.
        if request.method == "GET" and not request.META["QUERY_STRING"] and _takes_json(request):
            return _answer(request, **kwargs)
        return super().dispatch(request, *args, **kwargs)


def _takes_json(request: HttpRequest) -> bool:
    accepted = request.META.get("HTTP_ACCEPT", "*/*")
    return accepted == "application/json" or "*/*" in accepted


def _answer(request: HttpRequest, number: str, *, parameters: Request | None = None) -> HttpResponse:
    limit_by_address(request, bucket=BUCKET, per_minute=settings.TRACKING_RATE_PER_MINUTE)
    if parameters is not None:
        refuse_unknown_parameters(parameters)
    answer = tracking_json(look_up(read_number(number), now=timezone.now()))
    headers = {"Cache-Control": "private, no-cache"}
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json", headers=headers)


# The view opens the scope of one parcel itself.
tracking = scoped_by_itself(TrackingView.as_view())


@dataclass(frozen=True, slots=True)
class _Words:
    """The labels of statuses and scans in one language."""

    statuses: Mapping[str, str]
    explanations: Mapping[str, str]
    scans: Mapping[str, str]


@lru_cache(maxsize=16)
def _words_for(language: str) -> _Words:
    # Translates to the active language, which is `language`; cached, because each look-up costs time.
    return _Words(
        statuses={status: str(status.label) for status in ParcelStatus},
        explanations={status: str(text) for status, text in EXPLANATIONS.items()},
        scans={code: str(code.label) for code in ScanCode},
    )


def tracking_json(public_parcel: PublicParcel) -> dict[str, Any]:
    parcel, names = public_parcel.parcel, public_parcel.names
    zone = names.destination.time_zone
    words = _words_for(get_language() or "")
    return {
        "tracking_number": parcel.number,
        "status": parcel.status,
        "status_text": words.statuses[parcel.status],
        "explanation": words.explanations[parcel.status],
        "status_at": _local(parcel.status_at, zone),
        "equivalents": {
            "aftership": AFTERSHIP[parcel.status],
            "easypost": EASYPOST[parcel.status],
            "kuaidi100": KUAIDI100[parcel.status],
        },
        "courier": names.courier,
        "tier": names.tier.code,
        "origin": _city_json(names.origin),
        "destination": _city_json(names.destination),
        "promise": _promise_json(public_parcel, zone),
        "expected": arrival_json(public_parcel.arrival, zone),
        "events": [
            _event_json(tracked_scan, zone, words)
            for tracked_scan in public_parcel.tracked
            if not tracked_scan.is_correction
        ],
    }


def _promise_json(public_parcel: PublicParcel, zone: str) -> dict[str, Any] | None:
    verdict = public_parcel.verdict
    if verdict is None:
        return None
    revisions = public_parcel.revisions
    first = revisions[0].previous_due_at if revisions else verdict.due_at
    return {
        "deliver_by": _local(verdict.due_at, zone),
        "original_deliver_by": _local(first, zone),
        "revisions": [revision_json(revision, zone) for revision in revisions],
        "outcome": verdict.outcome,
        "reached_at": _local(verdict.reached_at, zone),
        "late": public_parcel.is_late,
        "late_by_seconds": int(-verdict.margin.total_seconds()) if public_parcel.is_late else None,
    }


def _event_json(tracked_scan: TrackedScan, zone: str, words: _Words) -> dict[str, Any]:
    scan = tracked_scan.scan
    return {
        "code": scan.code,
        "text": words.scans[scan.code],
        "occurred_at": _local(scan.occurred_at, zone),
        "facility": public_place(scan.facility),
        "reason": scan.reason,
        "withdrawn": tracked_scan.withdrawn_at is not None,
    }


def _city_json(city: Any) -> dict[str, str]:
    return {"code": city.code, "name": city.name, "time_zone": city.time_zone}


def _local(moment: datetime | None, zone: str) -> str | None:
    return None if moment is None else moment.astimezone(zone_of(zone)).isoformat()
