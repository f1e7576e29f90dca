"""The body of a message: what happened, in the words of the API.

Built when it is sent, of what was copied from the event alone, and of the parcel's reference: so it has the
same bytes at every attempt, and no name, phone or address of anybody.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from alliance.clocks import moment_text
from alliance.events import Topic
from alliance.identifiers import tracking_number
from alliance.public_ids import IdKind, public_id
from alliance.sandboxes import is_sandbox
from parcels.choices import ParcelStatus
from parcels.webhooks.models import WebhookDelivery
from parcels.webhooks.topics import TEST

JSON = dict[str, Any]
Stored = Mapping[str, Any]


def body_of(delivery: WebhookDelivery, *, reference: str) -> str:
    """Return the body of a delivery; `reference` is its parcel's, "" for none."""
    data: JSON = {}
    if delivery.parcel_id > 0:
        # None once it is erased.
        data = {"tracking_number": tracking_number(delivery.parcel_id), "reference": reference or None}
    if delivery.topic != TEST:
        data |= _DATA[delivery.topic](delivery.payload)
    message = {
        "type": delivery.topic,
        "timestamp": moment_text(delivery.at, settings.TIME_ZONE),
        "sequence": delivery.sequence,
        "is_test": is_sandbox(delivery.organisation_id),
        "data": data,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def _booked(event: Stored) -> JSON:
    promise = {"original": _moment(event, "deliver_by"), "pickup_by": _moment(event, "pickup_by")}
    return {"status": ParcelStatus.BOOKED.value, "tier": event.get("tier"), "promise": promise}


def _cancelled(_event: Stored) -> JSON:
    return {"status": ParcelStatus.CANCELLED.value}


def _moved(event: Stored) -> JSON:
    return {
        "status": event.get("status"),
        "previous_status": event.get("previous"),
        "occurred_at": _moment(event, "occurred_at"),
    }


def _contradicted(event: Stored) -> JSON:
    return _some(event, "status", "contradiction")


def _pickup(event: Stored) -> JSON:
    window = {"starts_at": _moment(event, "start"), "ends_at": _moment(event, "end")}
    proposed = {
        "starts_at": _moment(event, "proposed_start"),
        "ends_at": _moment(event, "proposed_end"),
    }
    return {
        "id": event.get("pickup") and public_id(IdKind.PICKUP, event["pickup"]),
        "state": event.get("state"),
        "window": window,
        "proposed": proposed if proposed["starts_at"] else None,
        "parcel_count": event.get("parcels"),
    }


def _manifest(event: Stored) -> JSON:
    counts = _some(event, "listed", "picked_up", "missing", "extra")
    return {"manifest_number": event.get("number"), "day": event.get("pickup_date"), **counts}


def _asked_back(event: Stored) -> JSON:
    return _some(event, "reason")


def _sent_back(event: Stored) -> JSON:
    return _some(event, "return_of")


def _judged(event: Stored) -> JSON:
    return {
        "kind": event.get("kind"),
        "judged_by": _moment(event, "due_at"),
        "outcome": event.get("outcome"),
        "reached_at": _moment(event, "reached_at"),
    }


def _revised(event: Stored) -> JSON:
    return {
        "kind": event.get("kind"),
        "previous_promise": _moment(event, "previous_due_at"),
        "new_promise": _moment(event, "due_at"),
        **_some(event, "requested_by", "judged"),
    }


def _excused(event: Stored) -> JSON:
    return _some(event, "kind", "reason")


def _credited(event: Stored) -> JSON:
    return {**_some(event, "amount", "currency", "cause"), "month": event.get("statement")}


def _stated(event: Stored) -> JSON:
    return _some(event, "month", "entries", "total", "currency")


def _graded(event: Stored) -> JSON:
    grades = {"previous_grade": event.get("from"), "grade": event.get("to")}
    return {**grades, **_some(event, "month", "score")}


_DATA: Final[Mapping[str, Callable[[Stored], JSON]]] = {
    Topic.PARCEL_BOOKED: _booked,
    Topic.PARCEL_CANCELLED: _cancelled,
    Topic.PARCEL_STATUS_CHANGED: _moved,
    Topic.PARCEL_CONTRADICTED: _contradicted,
    Topic.PICKUP_REQUESTED: _pickup,
    Topic.PICKUP_ACCEPTED: _pickup,
    Topic.PICKUP_PROPOSED: _pickup,
    Topic.PICKUP_KEPT: _pickup,
    Topic.PICKUP_DECLINED: _pickup,
    Topic.PICKUP_CANCELLED: _pickup,
    Topic.MANIFEST_MADE: _manifest,
    Topic.MANIFEST_CHANGED: _manifest,
    Topic.MANIFEST_CANCELLED: _manifest,
    Topic.MANIFEST_HANDED_OVER: _manifest,
    Topic.RETURN_ISSUED: _sent_back,
    Topic.RETURN_REQUESTED: _asked_back,
    Topic.RETURN_WITHDRAWN: _asked_back,
    Topic.RETURN_DECLINED: _asked_back,
    Topic.COMMITMENT_OVERDUE: _judged,
    Topic.COMMITMENT_LATE: _judged,
    Topic.COMMITMENT_REVISED: _revised,
    Topic.BREACH_WITHDRAWN: _judged,
    Topic.BREACH_EXCUSED: _excused,
    Topic.BREACH_EXCUSE_LIFTED: _excused,
    Topic.EXCUSE_CLAIMED: _excused,
    Topic.EXCUSE_WITHDRAWN: _excused,
    Topic.EXCUSE_GRANTED: _excused,
    Topic.EXCUSE_DECLINED: _excused,
    Topic.EXCUSE_REVOKED: _excused,
    Topic.EXCUSE_LAPSED: _excused,
    Topic.CREDIT_WRITTEN: _credited,
    Topic.STATEMENT_CLOSED: _stated,
    Topic.COURIER_GRADED: _graded,
}


def _some(event: Stored, *names: str) -> JSON:
    return {name: event.get(name) for name in names}


def _moment(event: Stored, name: str) -> str | None:
    """Return a moment as the API writes it: SQL and Python write it into events in their own ways."""
    text = event.get(name)
    return moment_text(datetime.fromisoformat(text), settings.TIME_ZONE) if text else None
