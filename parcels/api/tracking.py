"""The public tracking API: no key, no personal data, limited calls per minute."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from alliance.api.parsing import refuse_unknown_parameters
from alliance.api.public_ids import PartyField
from alliance.api.views import ApiView, takes_json
from alliance.clocks import moment_text
from alliance.errors import FieldError, InvalidInput
from alliance.public_ids import IdKind, public_id
from alliance.sandboxes import is_sandbox
from alliance.web.http import limit_by_address, scoped_by_itself
from parcels.api import examples
from parcels.api.revisions import PublicRevision, revision_json
from parcels.api.states import StateAnswer, state_json
from parcels.choices import ScanCode
from parcels.scans.places import public_place
from parcels.scans.rules import AFTERSHIP, EASYPOST, KUAIDI100, is_known_reason
from parcels.scans.timelines import SHOWN, TrackedScan, page_of_scans
from parcels.tracking.advice import ask_of, to_do_of, what_of
from parcels.tracking.notes import public_title
from parcels.tracking.numbers import read_number
from parcels.tracking.queries import PublicParcel, look_up, reader_of
from slas.choices import TierCode

BUCKET = "tracking"
S = serializers.Serializer[Any]


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


class TrackingAnswer(StateAnswer):
    """Where a parcel is, when it comes, and what its recipient can do."""

    tracking_number = serializers.CharField()
    is_test = serializers.BooleanField(help_text="Booked in test mode: nobody carries it.")
    explanation = serializers.CharField(help_text="What happened, in the language of the request.")
    to_do = serializers.ListField(
        child=serializers.CharField(), help_text="What the recipient can do, the most useful first."
    )
    ask = serializers.CharField(help_text="Whom to ask.")
    equivalents = Equivalents()
    courier = PartyField(IdKind.COURIER)
    courier_name = serializers.CharField()
    tier = serializers.ChoiceField(choices=TierCode.choices)
    origin = serializers.CharField(help_text="City code.")
    origin_name = serializers.CharField(help_text="In the language of the request.")
    origin_time_zone = serializers.CharField()
    destination = serializers.CharField(help_text="City code.")
    destination_name = serializers.CharField(help_text="In the language of the request.")
    destination_time_zone = serializers.CharField()
    revisions = PublicRevision(many=True, help_text="Agreed date changes, oldest first.")
    events = TrackedEvent(many=True, help_text=f"Latest first, at most {SHOWN}.")
    events_next = serializers.CharField(
        allow_null=True, help_text="Cursor of earlier events, for `events_after`; null if there are none."
    )


class TrackingView(ApiView):
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
        parameters=[OpenApiParameter("events_after", str, description="From `events_next`.")],
        responses=TrackingAnswer,
        examples=examples.TRACKING,
        auth=[],
        tags=["tracking"],
    )
    def get(self, request: Request, tracking_number: str) -> HttpResponse:
        return _answer(request._request, tracking_number, parameters=request)  # noqa: SLF001


def _answer(request: HttpRequest, number: str, *, parameters: Request | None = None) -> HttpResponse:
    limit_by_address(request, bucket=BUCKET, per_minute=settings.TRACKING_RATE_PER_MINUTE)
    if parameters is not None:
        refuse_unknown_parameters(parameters, "events_after")
    # Putting no parameters together takes as long as counting the call.
    place = request.GET.get("events_after", "") if parameters is not None else ""
    now = timezone.now()
    answer = tracking_json(look_up(read_number(number), now=now), place, now=now)
    headers = {"Cache-Control": "private, no-cache"}
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json", headers=headers)


_by_rest_framework = TrackingView.as_view()


# The view opens the scope of one parcel itself.
@scoped_by_itself
@wraps(_by_rest_framework)
def tracking(request: HttpRequest, tracking_number: str) -> Any:
    # DRF's overhead takes longer than the answer itself: plain requests bypass it.
    if request.method == "GET" and not request.META["QUERY_STRING"] and takes_json(request):
        return _answer(request, tracking_number)
    return _by_rest_framework(request, tracking_number=tracking_number)


@lru_cache(maxsize=16)
def _scan_labels(language: str) -> Mapping[str, str]:
    # Translates to the active language, which is `language`; cached, because each look-up costs time.
    return {code: str(code.label) for code in ScanCode}


def tracking_json(public_parcel: PublicParcel, place: str = "", *, now: datetime) -> dict[str, Any]:
    """The answer, with the latest events or those after a place. Raises InvalidInput for an odd place."""
    page = page_of_scans([scan for scan in public_parcel.tracked if not scan.is_correction], place)
    if page is None:
        message = _("Invalid cursor: use the one in `events_next`.")
        raise InvalidInput(errors=[FieldError("/events_after", message, "invalid")])
    events, events_next = page
    parcel, names = public_parcel.parcel, public_parcel.names
    zone = names.destination.time_zone
    labels = _scan_labels(get_language() or "")
    reader = reader_of(public_parcel, now=now)
    state = public_parcel.state
    return {
        "tracking_number": parcel.number,
        "is_test": is_sandbox(parcel.merchant_id),
        **state_json(state, reader),
        "explanation": what_of(state, reader),
        "to_do": to_do_of(state, reader),
        "ask": ask_of(state, reader),
        "equivalents": {
            "aftership": AFTERSHIP[parcel.status],
            "easypost": EASYPOST[parcel.status],
            "kuaidi100": KUAIDI100[parcel.status],
        },
        "courier": public_id(IdKind.COURIER, parcel.courier_id),
        "courier_name": names.courier,
        "tier": names.tier.code,
        **_city_json("origin", names.origin),
        **_city_json("destination", names.destination),
        "revisions": [revision_json(revision, zone) for revision in public_parcel.revisions],
        "events": [_event_json(tracked_scan, zone, labels) for tracked_scan in events],
        "events_next": events_next or None,
    }


def _event_json(tracked_scan: TrackedScan, zone: str, labels: Mapping[str, str]) -> dict[str, Any]:
    scan = tracked_scan.scan
    return {
        "code": scan.code,
        "text": public_title(scan.code, reason=scan.reason, consent=scan.consent) or labels[scan.code],
        "occurred_at": moment_text(scan.occurred_at, zone),
        "facility": public_place(scan.facility),
        # Imported scans may have a reason in somebody's own words.
        "reason": scan.reason if is_known_reason(scan.reason) else "",
        "withdrawn": tracked_scan.withdrawn_at is not None,
    }


def _city_json(end: str, city: Any) -> dict[str, str]:
    return {end: city.code, f"{end}_name": city.name, f"{end}_time_zone": city.time_zone}
