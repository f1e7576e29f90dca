"""The scans of one parcel of the demo, and when each is sent.

Pure: the result depends only on the plan and the random generator.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from parcels.choices import ScanCode, ScanReason
from parcels.scans.lines import ScanLine

DUPLICATED, SENT_LATE, ATTEMPTS_FAILED, LOST, RETURNED, MISTAKEN = 0.03, 0.04, 0.05, 0.004, 0.006, 0.003
FORGOTTEN, HELD = 0.001, 0.03


@dataclass(frozen=True, slots=True)
class Itinerary:
    """The input of a journey: the promise, the facilities, and the courier's reliability."""

    number: str
    ready_at: datetime
    pickup_by: datetime
    deliver_by: datetime
    origin: str
    destination: str
    punctual: float
    # No delivery in here: a typhoon. Start and end, or None.
    storm: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A scan and the moment at which its courier's program sends it."""

    at: datetime
    line: ScanLine


def journey(plan: Itinerary, random: Random) -> list[Sent]:
    """Return all scans of a parcel, including late, duplicate and withdrawn ones."""
    return [sending for line in _scans(plan, random) for sending in _sendings(line, random)]


def _scans(plan: Itinerary, random: Random) -> Iterator[ScanLine]:
    if random.random() < FORGOTTEN:
        # Forgotten at the sender's: it is never scanned.
        return
    picked = _between(random, plan.ready_at, plan.pickup_by)
    if random.random() > 0.5 + plan.punctual / 2:
        picked = plan.pickup_by + timedelta(minutes=random.randint(5, 240))
    yield _line(plan, ScanCode.PICKED_UP, picked, plan.origin)
    if random.random() < LOST:
        yield _line(plan, ScanCode.DEPARTED, picked + timedelta(hours=2), plan.origin)
        return
    delivered = _delivery(plan, picked, random)
    yield from _transit(plan, picked, delivered, random)
    out = max(picked + timedelta(minutes=20), delivered - timedelta(minutes=random.randint(25, 200)))
    if plan.storm and plan.storm[0] <= out <= plan.storm[1]:
        yield _line(plan, ScanCode.HELD, out, plan.destination, reason=ScanReason.WEATHER_TYPHOON)
        delivered = plan.storm[1] + timedelta(hours=random.randint(9, 30))
        out = delivered - timedelta(hours=1)
    yield _line(plan, ScanCode.OUT_FOR_DELIVERY, out, plan.destination)
    yield from _ending(plan, delivered, random)


def _delivery(plan: Itinerary, picked: datetime, random: Random) -> datetime:
    """Return the time of the first delivery attempt."""
    earliest = max(picked + timedelta(minutes=70), plan.deliver_by - timedelta(hours=11))
    if random.random() < plan.punctual and earliest < plan.deliver_by:
        return _between(random, earliest, plan.deliver_by - timedelta(minutes=3))
    # Late deliveries come in the next hours, or the next day or two.
    delay = random.choice((random.randint(4, 150), random.randint(4, 150), random.randint(700, 2_600)))
    return max(picked + timedelta(minutes=70), plan.deliver_by) + timedelta(minutes=delay)


def _transit(plan: Itinerary, picked: datetime, delivered: datetime, random: Random) -> Iterator[ScanLine]:
    if plan.origin == plan.destination:
        return
    departed = picked + (delivered - picked) * random.uniform(0.1, 0.25)
    there = picked + (delivered - picked) * random.uniform(0.5, 0.75)
    yield _line(plan, ScanCode.DEPARTED, departed, plan.origin)
    yield _line(plan, ScanCode.ARRIVED, there, plan.destination)
    if random.random() < HELD:
        reason = random.choice((ScanReason.COURIER_MISSORTED, ScanReason.MERCHANT_BAD_DATA))
        yield _line(plan, ScanCode.HELD, there + timedelta(minutes=20), plan.destination, reason=reason)


def _ending(plan: Itinerary, delivered: datetime, random: Random) -> Iterator[ScanLine]:
    if random.random() < RETURNED:
        yield _line(
            plan, ScanCode.ATTEMPT_FAILED, delivered, plan.destination, reason=ScanReason.CONSIGNEE_REFUSED
        )
        back = delivered + timedelta(hours=3)
        yield _line(plan, ScanCode.RETURN_STARTED, back, plan.destination)
        yield _line(plan, ScanCode.RETURNED, back + timedelta(hours=40), plan.origin)
        return
    if random.random() < ATTEMPTS_FAILED:
        reason = random.choice((ScanReason.CONSIGNEE_ABSENT, ScanReason.CONSIGNEE_UNREACHABLE))
        yield _line(plan, ScanCode.ATTEMPT_FAILED, delivered, plan.destination, reason=reason)
        delivered += timedelta(hours=random.randint(16, 26))
        out = delivered - timedelta(hours=1)
        yield _line(plan, ScanCode.OUT_FOR_DELIVERY, out, plan.destination)
    if random.random() < MISTAKEN:
        # The wrong parcel was scanned at the delivery, and the scan is corrected.
        wrong = _line(plan, ScanCode.DELIVERED, delivered - timedelta(minutes=50), plan.destination)
        yield wrong
        correction = _line(plan, ScanCode.CORRECTION, delivered - timedelta(minutes=20), plan.destination)
        yield _withdrawal(correction, wrong)
    yield _line(plan, ScanCode.DELIVERED, delivered, plan.destination)


def _sendings(line: ScanLine, random: Random) -> Iterator[Sent]:
    at = line.occurred_at + timedelta(minutes=random.randint(1, 4))
    if random.random() < SENT_LATE:
        at += timedelta(hours=random.randint(6, 40))
    yield Sent(at, line)
    if random.random() < DUPLICATED:
        yield Sent(at + timedelta(hours=random.randint(1, 30)), line)


def _withdrawal(line: ScanLine, wrong: ScanLine) -> ScanLine:
    """Return the correction that withdraws a scan."""
    return ScanLine(
        tracking_number=line.tracking_number,
        code=line.code,
        occurred_at=line.occurred_at,
        event_id=line.event_id,
        facility=line.facility,
        corrects=wrong.event_id,
    )


def _line(
    plan: Itinerary, code: ScanCode, at: datetime, facility: str, *, reason: ScanReason | None = None
) -> ScanLine:
    moment = at.replace(microsecond=0)
    return ScanLine(
        tracking_number=plan.number,
        code=code.value,
        occurred_at=moment,
        event_id=f"{code.value}-{moment:%m%d%H%M%S}",
        facility=facility,
        reason=reason.value if reason else None,
    )


def _between(random: Random, start: datetime, end: datetime) -> datetime:
    seconds = max((end - start).total_seconds(), 60.0)
    return start + timedelta(seconds=random.uniform(0, seconds))
