"""A client that books, scans, corrects, cancels and excuses: `python -m tests.chaos.clients N SEED FOLDER`.

Whatever it was told is done it notes in a file, a line each, and only after it was told. Killed and started
again it goes on with the parcels of its file, and with those of the other clients'.
"""

import json
import random
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.utils import timezone

from alliance.errors import Conflict
from alliance.identifiers import parse_tracking_number, tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.rules import BookingRequest, Recipient
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.choices import Decision, ExcuseReason, ExcuseState
from slas.excuses.services.claims import Claim, claim_excuse
from slas.excuses.services.decisions import decide_excuses, excuse_breaches
from slas.models import Breach, Excuse
from tests.chaos.stage import CITIES

HOUR = timedelta(hours=1)
# Bookings are of up to so long ago: much of what they promise is past due at once.
OLDEST = 100
# Hours after the booking, for each scan a parcel may have; some are before its promise, some after it.
STORY = (
    ("picked_up", 2, ""),
    ("departed", 5, ""),
    ("arrived", 14, ""),
    ("held", 16, "weather_typhoon"),
    ("out_for_delivery", 20, ""),
    ("attempt_failed", 22, "consignee_absent"),
    ("attempt_failed", 23, "courier_vehicle"),
    ("delivered", 24, ""),
    ("delivered", 40, ""),
    ("returned", 60, ""),
)
RECIPIENT = Recipient("王小明", "13812345678", "人民南路四段12号3单元1203室")


class Client:
    """One of several that do the same, each with luck of its own."""

    def __init__(self, number: int, seed: str, folder: Path) -> None:
        self.notes = folder / f"client-{number}.jsonl"
        self.folder = folder
        lives = len(self.notes.read_text().splitlines()) if self.notes.exists() else 0
        self.source = random.Random(f"{seed} {number} {lives}")
        self.cities = list(City.objects.filter(code__in=CITIES))
        with scope(Scope.everything()):
            members = list(Organisation.objects.all())
        actors = [actor_of_organisation(member, kind="user", label="chaos") for member in members]
        self.merchants = [actor for actor in actors if actor.is_merchant]
        self.couriers = {actor.organisation_id: actor for actor in actors if actor.is_courier}
        # parcel id: courier, when booked; and what was scanned, by parcel.
        self.parcels: dict[int, tuple[int, datetime]] = {}
        self.scanned: list[tuple[int, str]] = []
        self.read: dict[Path, int] = {}

    def act(self) -> None:
        """Do something, whatever it is."""
        self._catch_up()
        acts = [self.book, self.scan, self.scan, self.scan, self.correct, self.cancel, self.claim]
        acts += [self.decide, self.excuse]
        act: Callable[[], None] = self.source.choice(acts)
        if self.parcels or act == self.book:
            act()
        else:
            self.book()

    def book(self) -> None:
        actor = self.source.choice(self.merchants)
        at = timezone.now() - self.source.uniform(0.5, OLDEST) * HOUR
        requests = [
            BookingRequest(
                tier="next_day",
                origin=self.source.choice(self.cities),
                destination=self.source.choice(self.cities),
                weight_g=self.source.randint(100, 9000),
                ready_at=at,
                recipient=RECIPIENT,
            )
            for _parcel in range(self.source.randint(1, 12))
        ]
        with scope(Scope.of(actor)):
            results = book_parcels(actor=actor, requests=requests, at=at)
        booked = [result for result in results if isinstance(result, Booked)]
        self.note(booked=[(item.parcel_id, item.offer.courier_id, at.isoformat()) for item in booked])

    def scan(self) -> None:
        courier_id = self.source.choice(list(self.couriers))
        carried = [parcel_id for parcel_id, (courier, _at) in self.parcels.items() if courier == courier_id]
        lines = []
        for parcel_id in self.source.choices(carried, k=self.source.randint(1, 40)) if carried else []:
            number = self.source.randrange(len(STORY))
            code, hours, reason = STORY[number]
            at = self.parcels[parcel_id][1] + hours * HOUR
            if at < timezone.now():
                lines.append(self._line(parcel_id, code, at, str(number), reason=reason or None))
        self._send(self.couriers[courier_id], lines)

    def correct(self) -> None:
        """Take back some scan of some parcel."""
        if not self.scanned:
            return
        parcel_id, event_id = self.source.choice(self.scanned)
        if event_id.startswith("x"):
            return
        courier_id, booked_at = self.parcels[parcel_id]
        line = self._line(parcel_id, "correction", booked_at + HOUR, f"x{event_id}", corrects=event_id)
        self._send(self.couriers[courier_id], [line])

    def cancel(self) -> None:
        parcel_id = self.source.choice(list(self.parcels))
        ops = Actor.system("chaos")
        with scope(Scope.everything()):
            cancel_parcel(actor=ops, parcel_id=parcel_id, at=timezone.now())
        self.note(cancelled=[parcel_id])

    def claim(self) -> None:
        actor = self.source.choice(list(self.couriers.values()))
        with scope(Scope.of(actor)):
            breach = self.source.choice([None, *Breach.objects.standing().order_by("?")[:5]])
            if breach is None:
                return
            claim = Claim(breach.parcel_id, breach.kind, self._reason())
            excuse = claim_excuse(actor=actor, claim=claim)
        self.note(claimed=[excuse.pk])

    def decide(self) -> None:
        with scope(Scope.everything()):
            state = self.source.choice([ExcuseState.CLAIMED, ExcuseState.CLAIMED, ExcuseState.GRANTED])
            found = list(Excuse.objects.filter(state=state).order_by("?").values_list("parcel_id", "pk")[:10])
            decision = Decision.REVOKE
            if state == ExcuseState.CLAIMED:
                decision = self.source.choice([Decision.GRANT, Decision.GRANT, Decision.DECLINE])
            done = decide_excuses(actor=Actor.system("chaos"), keys=found, decision=decision, note="chaos")
        self.note(decided=[done.decided])

    def excuse(self) -> None:
        with scope(Scope.everything()):
            keys = list(Breach.objects.standing().order_by("?").values_list("parcel_id", "kind")[:5])
            done = excuse_breaches(actor=Actor.system("chaos"), keys=keys, reason=self._reason())
        self.note(excused=[done.excused])

    def _send(self, actor: Actor, lines: list[ScanLine]) -> None:
        if not lines:
            return
        with scope(Scope.of(actor)):
            report = record_scans(actor=actor, lines=lines)
        refused = {rejection.index for rejection in report.rejections}
        taken = [line for index, line in enumerate(lines) if index not in refused]
        self.note(scanned=[(parse_tracking_number(line.tracking_number), line.event_id) for line in taken])

    def _line(self, parcel_id: int, code: str, at: datetime, event: str, **given: Any) -> ScanLine:
        return ScanLine(tracking_number(parcel_id), code, at, event_id=event, **given)

    def _reason(self) -> str:
        return str(self.source.choice(ExcuseReason.values))

    # --- what it remembers ---------------------------------------------------------------------

    def note(self, **what: Any) -> None:
        with self.notes.open("a") as file:
            file.write(json.dumps(what) + "\n")

    def _catch_up(self) -> None:
        """Read what this client and the others noted since."""
        for path in self.folder.glob("client-*.jsonl"):
            with path.open() as file:
                file.seek(self.read.get(path, 0))
                while (line := file.readline()).endswith("\n"):
                    self.read[path] = file.tell()
                    self._remember(json.loads(line))

    def _remember(self, note: dict[str, Any]) -> None:
        for parcel_id, courier_id, booked_at in note.get("booked", []):
            self.parcels[parcel_id] = courier_id, datetime.fromisoformat(booked_at)
        self.scanned += [(parcel_id, event_id) for parcel_id, event_id in note.get("scanned", [])]


def main() -> None:
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _frame: stopping.append(signum))
    number, seed, folder = sys.argv[1:]
    client = Client(int(number), seed, Path(folder))
    sys.stdout.write("ready\n")
    while not stopping:
        try:
            client.act()
        except Conflict:
            # It moved, or was decided on, meanwhile.
            continue
        except Exception as error:  # noqa: BLE001 -- told to the test, which fails
            client.note(failed=repr(error))


if __name__ == "__main__":
    main()
