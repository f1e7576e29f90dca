"""A batch of scans before the database: checks each line, and puts the valid ones into columns.

Pure. Checks that need the parcel (is it this courier's, was it booked by then, is this scan a duplicate)
are done by the statement in `parcels/scans/sql.py`, for all lines at once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext as _

from alliance.database.at_home import at_places
from alliance.database.literals import texts
from alliance.identifiers import EPOCH as FIRST_BOOKING
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from parcels.choices import ScanCode
from parcels.scans import rules
from parcels.scans.lines import NamedScan, Rejection, ScanLine
from parcels.scans.repeats import Content, content_of, difference, refusal_of

_CODES: Final = frozenset(ScanCode.values)
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# An empty text in a PostgreSQL array literal.
_EMPTY: Final = '""'


def microseconds_of(moment: datetime) -> int:
    return (moment - _UNIX) // _MICROSECOND


def event_key(
    *, event_id: str, code: str, microseconds: int, facility: str, corrects: int | None = None
) -> int:
    """The 64-bit key of a scan within its parcel: the same each time the same event is sent.

    BLAKE2b of the sender's event id; without one, of code, time (microseconds since 1970, UTC) and
    facility. The first letter distinguishes the two kinds. What a correction withdraws is part of its
    identity: one that named the wrong scan must not swallow the right one.
    """
    text = f"i{event_id}" if event_id else f"t{code}|{microseconds}|{facility}"
    if corrects is not None:
        text = f"c{corrects}|{text}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


class ScanBatch:
    """The valid lines of a batch as columns for the database, and the rejections of the others."""

    def __init__(self, lines: Iterable[ScanLine | Rejection], *, now: datetime) -> None:
        self.now = now
        self.rejections: list[Rejection] = []
        self.duplicates: list[int] = []
        self.parcel_ids: list[int] = []
        self._latest = microseconds_of(now + rules.CLOCK_ERROR)
        # The place of each scan in the columns, and the lines that repeat another line, with why they are
        # rejected if they say otherwise.
        self._keys: dict[tuple[int, int], int] = {}
        self._copies: list[tuple[int, int, tuple[str, str, str] | None]] = []
        self._n: list[int] = []
        self._event_keys: list[int] = []
        self._microseconds: list[int] = []
        self._corrects: list[int | None] = []
        self._lines: list[ScanLine] = []
        for index, line in enumerate(lines):
            if isinstance(line, Rejection):
                self.rejections.append(line)
            else:
                self._add(index, line)

    def reject(self, index: int, field: str, code: str, detail: str) -> None:
        self.rejections.append(Rejection(index, f"/{index}/{field}", code, detail))

    def judge_copies(self) -> None:
        """A line that repeats another is a duplicate, or rejected for the same reason as the other."""
        rejected = {rejection.index: rejection for rejection in self.rejections}
        for index, original, refusal in self._copies:
            if (rejection := rejected.get(original)) is not None:
                field = rejection.pointer.removeprefix(f"/{original}/")
                self.reject(index, field, rejection.code, rejection.detail)
            elif refusal:
                self.reject(index, *refusal)
            else:
                self.duplicates.append(index)

    def keys_of(self, indices: Iterable[int]) -> list[int]:
        """The keys of some lines' scans."""
        wanted = set(indices)
        return [key for index, key in zip(self._n, self._event_keys, strict=True) if index in wanted]

    def judge_duplicates(self, indices: Iterable[int], stored: Mapping[tuple[int, int], Content]) -> None:
        """Take in lines whose scans were stored before: duplicates, or rejected if they say otherwise."""
        places = {index: place for place, index in enumerate(self._n)}
        for index in indices:
            place = places[index]
            line, first = self._lines[place], stored.get((self.parcel_ids[place], self._event_keys[place]))
            content = content_of(line, self._microseconds[place])
            if first is not None and (field := difference(content, first)):
                self.reject(index, *refusal_of(line, field))
            else:
                self.duplicates.append(index)

    def line_of(self, parcel_id: int, key: int) -> int | None:
        """The index of the line with a scan, if it is in this batch."""
        place = self._keys.get((parcel_id, key))
        return None if place is None else self._n[place]

    def lines_of_parcels(self) -> Iterable[tuple[int, int]]:
        """The index and the parcel of each valid line."""
        return zip(self._n, self.parcel_ids, strict=True)

    def parameters(self, places: Sequence[int], *, courier_id: int | None) -> dict[str, Any]:
        """Return the statement's parameters for the scans at some places, which are of one shard.

        `courier_id` excludes other couriers' parcels.
        """
        parcel_ids, lines = at_places(places, self.parcel_ids), at_places(places, self._lines)
        parcels = sorted(set(parcel_ids))
        return {
            "home": parcels[0],
            # Bounds that let the planner skip the months without a parcel of the batch.
            "low": parcels[0],
            "high": parcels[-1],
            "now": self.now,
            "courier_id": courier_id,
            "parcels": _numbers(parcels),
            "most_lines": Counter(parcel_ids).most_common(1)[0][1],
            "n": _numbers(at_places(places, self._n)),
            "parcel_id": _numbers(parcel_ids),
            "event_key": _numbers(at_places(places, self._event_keys)),
            "microseconds": _numbers(at_places(places, self._microseconds)),
            "corrects": _numbers(at_places(places, self._corrects)),
            "consent": _numbers([1 if line.consent else 0 for line in lines]),
            # Only our own codes, which need no quoting.
            "code": f"{{{','.join([line.code for line in lines])}}}",
            "reason": f"{{{','.join([line.reason or _EMPTY for line in lines])}}}",
            # Not as lists: psycopg2 writes those in one go, in which no other thread gets a turn.
            "facility": texts(line.facility or "" for line in lines),
            "event_id": texts(line.event_id or "" for line in lines),
        }

    def parameters_of_one(self, *, courier_id: int | None) -> dict[str, Any] | None:
        """Return the parameters of the statement for a single scan; None if there are several."""
        if len(self._lines) != 1:
            return None
        [line] = self._lines
        return {
            "home": self.parcel_ids[0],
            "now": self.now,
            "courier_id": courier_id,
            "parcel_id": self.parcel_ids[0],
            "event_key": self._event_keys[0],
            "microseconds": self._microseconds[0],
            "consent": bool(line.consent),
            "code": line.code,
            "reason": line.reason or "",
            "facility": line.facility or "",
            "event_id": line.event_id or "",
        }

    def _add(self, index: int, line: ScanLine) -> None:
        try:
            parcel_id = parse_tracking_number(line.tracking_number)
        except InvalidTrackingNumber as error:
            self.reject(index, "tracking_number", "bad_tracking_number", str(error))
            return
        moment = microseconds_of(line.occurred_at)
        if problem := _problem(line, moment, self._latest):
            self.reject(index, *problem)
            return
        corrects = _key_of(line.corrects)
        key = event_key(
            event_id=line.event_id or "",
            code=line.code,
            microseconds=moment,
            facility=line.facility or "",
            corrects=corrects,
        )
        place = self._keys.setdefault((parcel_id, key), len(self._n))
        if place < len(self._n):
            first = content_of(self._lines[place], self._microseconds[place])
            field = difference(content_of(line, moment), first)
            self._copies.append((index, self._n[place], refusal_of(line, field) if field else None))
            return
        self._n.append(index)
        self.parcel_ids.append(parcel_id)
        self._event_keys.append(key)
        self._microseconds.append(moment)
        self._corrects.append(corrects)
        self._lines.append(line)


_FIRST: Final = microseconds_of(FIRST_BOOKING)


def _problem(line: ScanLine, moment: int, latest: int) -> tuple[str, str, str] | None:
    """Return field, code and detail of a line's first error that needs no database."""
    code, reason = line.code, line.reason
    if code not in _CODES:
        return "code", "unknown_code", _("Unknown scan code.")
    if moment > latest:
        return "occurred_at", "in_future", _("This time is in the future.")
    if moment < _FIRST:
        return "occurred_at", "before_booking", _("This time is before the parcel was booked.")
    if reason and not rules.is_known_reason(reason):
        return "reason", "unknown_reason", _("Unknown reason code.")
    if not reason and code in rules.NEEDS_REASON:
        return "reason", "reason_required", _("A failed attempt or a hold needs a reason.")
    if code == ScanCode.CORRECTION and not line.corrects:
        return "corrects", "corrects_missing", _("A correction must name the scan it withdraws.")
    if line.corrects and code != ScanCode.CORRECTION:
        return "corrects", "invalid", _("Only a correction can name a scan to withdraw.")
    # PostgreSQL stores every character but this one.
    for field, text in (("event_id", line.event_id), ("facility", line.facility)):
        if text and "\0" in text:
            return field, "invalid", _("The text contains a NUL character.")
    return None


def _key_of(corrects: str | NamedScan | None) -> int | None:
    if not corrects:
        return None
    if isinstance(corrects, str):
        return event_key(event_id=corrects, code="", microseconds=0, facility="")
    moment = microseconds_of(corrects.occurred_at)
    return event_key(event_id="", code=corrects.code, microseconds=moment, facility=corrects.facility or "")


def _numbers(values: Sequence[int | None]) -> str:
    # One text that the server parses as an array: the driver would quote each number separately.
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"
