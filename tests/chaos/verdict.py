"""What must be true after the chaos, worked out again from the scans, in Python."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Count

from alliance.models import Event
from parcels.models import Parcel, Scan
from parcels.scans import rules
from slas.audits.rates import audit_rates
from slas.choices import Outcome
from slas.commitments.rules import is_breach, judge
from slas.credits.audit import audit_credits
from slas.models import Breach, CapacityDay, Commitment, CreditCheck, Excuse, OnTimeRate, Tally
from tests.slas.helpers import recount


@dataclass
class Told:
    """What clients were told is done."""

    booked: set[int] = field(default_factory=set)
    scanned: set[tuple[int, str]] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)
    claimed: set[int] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)


def told(folder: Path) -> Told:
    """Read the clients' notes; half a line is of a client that was killed before it had noted anything."""
    found = Told()
    for path in folder.glob("client-*.jsonl"):
        for line in path.read_text().split("\n"):
            try:
                note: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            found.booked |= {parcel_id for parcel_id, _courier, _at in note.get("booked", [])}
            found.scanned |= {(parcel_id, event_id) for parcel_id, event_id in note.get("scanned", [])}
            found.cancelled |= set(note.get("cancelled", []))
            found.claimed |= set(note.get("claimed", []))
            found.failed += [note["failed"]] if "failed" in note else []
    return found


def complaints(notes: Told, *, now: datetime) -> list[str]:
    """Return everything that is not as it must be, in words."""
    return [*notes.failed, *_missing(notes), *_places(), *_books(now), *_parcels(now), *_recounted()]


def _missing(notes: Told) -> Iterator[str]:
    """What was acknowledged is there; what is there is whole."""
    parcels = set(Parcel.objects.values_list("pk", flat=True))
    yield from (f"parcel {parcel_id} was booked and is not there" for parcel_id in notes.booked - parcels)
    scans = set(Scan.objects.values_list("parcel_id", "event_id"))
    yield from (f"scan {scan} was accepted and is not there" for scan in notes.scanned - scans)
    excuses = set(Excuse.objects.values_list("pk", flat=True))
    yield from (f"claim {claim} was made and is not there" for claim in notes.claimed - excuses)
    cancelled = set(Parcel.objects.filter(status="cancelled").values_list("pk", flat=True))
    yield from (f"parcel {parcel_id} was cancelled and is not" for parcel_id in notes.cancelled - cancelled)
    promised = Counter(Commitment.objects.values_list("parcel_id", flat=True))
    yield from (
        f"parcel {parcel_id} has {promised[parcel_id]} promises"
        for parcel_id in parcels
        if promised[parcel_id] != 2
    )
    yield from (
        f"promises of parcel {parcel_id}, which is not there" for parcel_id in promised.keys() - parcels
    )
    events = Counter(Event.objects.filter(topic="parcel.booked").values_list("parcel_id", flat=True))
    yield from (
        f"parcel {parcel_id} was announced {events[parcel_id]} times"
        for parcel_id in parcels | events.keys()
        if events[parcel_id] != 1
    )
    repeated = Scan.objects.values("parcel_id", "event_id").annotate(n=Count("event_id")).filter(n__gt=1)
    yield from (f"scan {row} is there more than once" for row in repeated)


def _places() -> Iterator[str]:
    """As many places are taken as parcels take one."""
    standing = Parcel.objects.exclude(status="cancelled").values_list("offer_id", "pickup_date")
    wanted = Counter(standing)
    days = CapacityDay.objects.values_list("offer_id", "date", "reserved")
    taken = {(offer, day): reserved for offer, day, reserved in days if reserved}
    yield from (
        f"{slot}: {taken.get(slot, 0)} places are taken, by {wanted[slot]} parcels"
        for slot in wanted.keys() | taken.keys()
        if taken.get(slot, 0) != wanted[slot]
    )


def _books(now: datetime) -> Iterator[str]:
    """Nothing waits, and the product's own audits find nothing."""
    yield from (
        f"{model.__name__} was not drained" for model in (Tally, CreditCheck) if model.objects.exists()
    )
    yield from (str(difference) for difference in audit_rates().differences)
    yield from (str(difference) for difference in audit_credits(now=now))


def _parcels(now: datetime) -> Iterator[str]:
    """Each parcel's status and promises are what its scans say; each broken promise has its breach."""
    scans = _by_parcel(Scan.objects.all())
    commitments = _by_parcel(Commitment.objects.all())
    standing = set(Breach.objects.standing().values_list("parcel_id", "kind"))
    overdue = Event.objects.filter(topic="commitment.overdue")
    announced = set(overdue.values_list("parcel_id", "payload__kind"))
    for parcel in Parcel.objects.all():
        folded = rules.fold(scans[parcel.pk], booked_at=parcel.booked_at, cancelled_at=parcel.cancelled_at)
        if parcel.status != folded.status:
            yield f"parcel {parcel.pk} is {parcel.status} and should be {folded.status}"
        reached = {"pickup": folded.picked_up_at, "delivery": folded.reached_at}
        for commitment in commitments[parcel.pk]:
            key = commitment.parcel_id, commitment.kind
            if (key in standing) != is_breach(commitment.outcome):
                yield f"{key} is {commitment.outcome}; a breach stands: {key in standing}"
            if commitment.outcome == Outcome.OVERDUE and key not in announced:
                yield f"nobody was told that {key} is overdue"
            at = reached[commitment.kind]
            judged = judge(commitment.due_at, at, now, voided=commitment.outcome == Outcome.VOID)
            if commitment.outcome != judged or (judged != Outcome.VOID and commitment.reached_at != at):
                yield f"{key} is {commitment.outcome} and should be {judged}"


def _by_parcel(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.parcel_id].append(row)
    return found


def _recounted() -> Iterator[str]:
    """The cells and bins are what counting in Python gives."""
    for what, expected, found in zip(("cells", "bins"), recount.expected(), recount.folded(), strict=True):
        different = {key for key in expected.keys() | found.keys() if expected[key] != found[key]}
        yield from (f"{what}: {key}: {found[key]} instead of {expected[key]}" for key in different)


def lived_through() -> dict[str, int]:
    """How much happened: chaos in which nothing did proves nothing."""
    return {
        "parcels": Parcel.objects.count(),
        "scans": Scan.objects.count(),
        "corrections": Scan.objects.filter(code="correction").count(),
        "cancelled": Parcel.objects.filter(status="cancelled").count(),
        "breaches": Breach.objects.count(),
        "withdrawn": Breach.objects.exclude(withdrawn_at=None).count(),
        "excused": Commitment.objects.filter(excused=True).count(),
        "cells": OnTimeRate.objects.count(),
    }
