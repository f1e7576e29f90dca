"""A client of the benchmark of a cluster: `python -m benchmarks.citus_client PLACE CLIENTS`.

It calls the product's services on the database that its environment names, one call after the other, as it is
told by lines of JSON: `{"stock": 40, "single": 9}` books the parcels of so many batches of scans and single
scans, `{"prepare": "scans", "count": 3}` makes the next calls, which an empty line then starts, and
`{"watch": "scans"}` makes one call and says what the coordinator sent for it.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.db import connection
from django.utils import timezone

from alliance.members.services.actors import actor_of_organisation
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from benchmarks import scan_bodies
from parcels.bookings.rules import BookingRequest, Recipient
from parcels.bookings.services.booking import book_parcel, book_parcels
from parcels.bookings.services.writing import Booked
from parcels.scans.lines import read_json
from parcels.scans.services import record_scans
from parcels.tracking.queries import look_up

BOOKINGS = 1_000
# So long ago were the parcels booked whose scans are sent: a day's work, and all of it in the past.
OLDEST = timedelta(hours=32)
RECIPIENT = Recipient("王小明", "13812345678", "人民南路四段12号3单元1203室")
Call = Callable[[], int]


class Client:
    """A merchant and the courier that carries all its parcels, each with a number."""

    def __init__(self, place: int, clients: int) -> None:
        self._source = random.Random(place)
        self._cities = lanes_of(place, clients)
        self.merchant, self.courier = (_actor(f"{kind} {place}") for kind in ("Merchant", "Courier"))
        self._parcels: list[int] = []
        self._single: Iterator[dict[str, str]] = iter(())
        self._of = self._sent = self._booked = 0

    def stock(self, batches: int, single: int) -> int:
        """Book the parcels of so many batches of scans and of so many single scans; send the ramp."""
        needed = scan_bodies.parcels_needed(batches)
        wanted = needed + single // len(scan_bodies.STORY) + 5
        found: list[int] = []
        while len(found) < wanted:
            at = timezone.now() - OLDEST + timedelta(seconds=len(found) / 100)
            found += self._book(at=at)
        self._single = scan_bodies.singly(found[needed:wanted], together=5)
        self._parcels, self._of, self._sent = sorted(found[:needed]), batches, 0
        for call in self.calls("scans", scan_bodies.RAMP):
            call()
        return len(found)

    def calls(self, kind: str, count: int) -> list[Call]:
        """Make the next calls of a kind, with all that they send."""
        return [getattr(self, f"_{kind.replace(' ', '_')}")() for _call in range(count)]

    def _scans(self) -> Call:
        lines = scan_bodies.batch(self._parcels, self._sent, self._of)
        self._sent += 1
        return self._send(lines)

    def _single_scans(self) -> Call:
        return self._send([next(self._single)])

    def _send(self, lines: Sequence[dict[str, str]]) -> Call:
        read = read_json(scan_bodies.as_json(lines))

        def send() -> int:
            with scope(Scope.of(self.courier)):
                report = record_scans(actor=self.courier, lines=read)
            if report.rejections:
                raise RuntimeError(f"a scan was rejected: {report.rejections[0]}")
            return report.accepted

        return send

    def _bookings(self) -> Call:
        requests = self._requests(BOOKINGS, timezone.now())
        return lambda: len(self._book(requests))

    def _single_bookings(self) -> Call:
        at = timezone.now()
        [request] = self._requests(1, at)

        def book() -> int:
            with scope(Scope.of(self.merchant)):
                book_parcel(actor=self.merchant, request=request, at=at)
            return 1

        return book

    def _tracking(self) -> Call:
        parcel_id, now = self._source.choice(self._parcels), timezone.now()

        def track() -> int:
            look_up(parcel_id, now=now)
            return 1

        return track

    def _book(self, requests: Sequence[BookingRequest] = (), *, at: datetime | None = None) -> list[int]:
        moment = at or timezone.now()
        wanted = requests or self._requests(BOOKINGS, moment)
        with scope(Scope.of(self.merchant)):
            results = book_parcels(actor=self.merchant, requests=wanted, at=moment)
        booked = [result.parcel_id for result in results if isinstance(result, Booked)]
        if len(booked) < len(wanted):
            refused = next(result for result in results if not isinstance(result, Booked))
            raise RuntimeError(f"a booking was refused: {refused}")
        return booked

    def _requests(self, count: int, at: datetime) -> list[BookingRequest]:
        self._booked += count
        return [
            BookingRequest(
                tier="next_day",
                origin=self._source.choice(self._cities),
                destination=self._source.choice(self._cities),
                weight_g=self._source.randint(100, 20_000),
                ready_at=at,
                recipient=RECIPIENT,
                reference=f"{self.merchant.organisation_id}-{self._booked}-{number}",
            )
            for number in range(count)
        ]


def lanes_of(place: int, clients: int) -> list[City]:
    """Return the cities that only this client's courier serves."""
    return list(City.objects.filter(country="CN").order_by("-population", "code")[: 4 * clients])[
        place::clients
    ]


def _actor(name: str) -> Actor:
    with scope(Scope.everything()):
        return actor_of_organisation(Organisation.objects.get(name=name), kind="user", label="bench")


def timed(calls: Sequence[Call]) -> dict[str, Any]:
    """Make the calls; say how many items that were, how long each call took, and the time of our own."""
    items, took = 0, []
    processor, begun = time.process_time(), time.perf_counter()
    for call in calls:
        before = time.perf_counter()
        items += call()
        took.append(time.perf_counter() - before)
    seconds = time.perf_counter() - begun
    return {"items": items, "seconds": seconds, "calls": took, "processor": time.process_time() - processor}


class _Heard(list[str]):
    """Notices, of which our driver forgets those from before a commit, and psycopg2 all but fifty."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []

    def append(self, notice: str) -> None:
        self.all.append(notice)
        super().append(notice)


def remote_commands(call: Call) -> list[str]:
    """Return what the coordinator sent to workers during a call: a command and its node, a line each."""
    with connection.cursor() as cursor:
        cursor.execute("SET citus.log_remote_commands = on")
        cursor.execute("SET client_min_messages = notice")
    before = connection.connection.notices
    connection.connection.notices = heard = _Heard()
    call()
    connection.connection.notices = before
    said = [notice for notice in heard.all if notice.startswith("NOTICE:  issuing ")]
    with connection.cursor() as cursor:
        cursor.execute("RESET citus.log_remote_commands")
        cursor.execute("RESET client_min_messages")
    return said


def main() -> None:
    client = Client(*map(int, sys.argv[1:3]))
    prepared: list[Call] = []
    _say("ready")
    for line in sys.stdin:
        told = json.loads(line) if line.strip() else {}
        if "stock" in told:
            _say(client.stock(told["stock"], told["single"]))
        elif "prepare" in told:
            prepared = client.calls(told["prepare"], told["count"])
            _say("prepared")
        elif "watch" in told:
            _say(remote_commands(*client.calls(told["watch"], 1)))
        else:
            _say(timed(prepared))


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
