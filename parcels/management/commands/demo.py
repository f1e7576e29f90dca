"""Load the demo alliance: couriers, merchants, and weeks of parcels, through the real services."""

import time
from argparse import ArgumentParser
from datetime import date, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from alliance.database.owner import as_owner
from alliance.database.partitions import Month, ensure_months, ensure_months_ahead
from alliance.demo_logins import DEMO_LOGINS, require_private
from alliance.demo_progress import DEMO
from alliance.health import note_heartbeat
from alliance.identifiers import drawing_from
from alliance.models import Heartbeat, Organisation, User
from alliance.tenancy import Scope, scope
from parcels.demo.days import ZONE, Stage, play
from parcels.demo.exporting import write_some
from parcels.demo.filing import upload_one
from parcels.demo.handovers import hand_over_some
from parcels.demo.promises import announce_what_comes
from parcels.demo.returns import return_some
from parcels.demo.revisions import move_some
from parcels.demo.scorecards import keep_scorecards
from parcels.demo.world import demo_cities, make_couriers, make_merchants, make_offers, make_ops, make_service
from parcels.freight.services.counting import count_freight


class Command(BaseCommand):
    help = "Load a demo alliance, the same for the same seed and moment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=2016)
        parser.add_argument(
            "--public-demo", action="store_true", help="load it although PUBLIC_URL is open to other machines"
        )
        parser.add_argument("--days", type=int, default=60, help="days of parcels up to now")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if not 1 <= days <= 365:
            raise CommandError("--days must be from 1 to 365.")
        if User.objects.filter(email=DEMO_LOGINS[0].email).exists():
            is_complete = Heartbeat.objects.filter(name=DEMO, detail__whole=True).exists()
            state = "is loaded already" if is_complete else "was interrupted while it was loaded"
            raise CommandError(f"The demo {state}. Start afresh with: make reset")
        with scope(Scope.everything()):
            if User.objects.exists() or Organisation.objects.exists():
                raise CommandError(
                    "This database has log-ins or organisations of its own, and the demo's passwords are"
                    " public: it is loaded into an empty database only."
                )
        if not options["public_demo"]:
            require_private(urlsplit(settings.PUBLIC_URL).hostname)
        note_heartbeat(DEMO, whole=False, day=0, days=days)
        until = timezone.now()
        first = (until - timedelta(days=days + 2)).date()
        ensure_months(Month.of(first), Month.of(until.date()))
        ensure_months_ahead(now=until)
        self.started, self.days = time.monotonic(), days
        random = Random(options["seed"])  # noqa: S311 -- the demo is the same for the same seed
        with drawing_from(random.getrandbits):
            cities = demo_cities()
            self.say("enrolling couriers, approving them, signing merchants up")
            ops = make_ops()
            founded = until - timedelta(days=days + 10)
            sellers = make_couriers(ops, cities, founded=founded, until=until)
            offers = make_offers(sellers, random)
            buyers = make_merchants(cities, random, founded=founded)
            self.say(
                f"{len(sellers)} couriers, {len(buyers)} merchants, {offers:,} offers, {len(cities)} cities"
            )
            self.stage = Stage(
                ops=ops, service=make_service(), sellers=sellers, buyers=buyers, random=random, until=until
            )
            # From here on, its users can log in.
            self.note(0)
            counts = play(self.stage, days=days, on_day=self.on_day)
        moved, returns = move_some(self.stage), return_some(self.stage)
        handed = hand_over_some(self.stage)
        announce_what_comes(ops, now=until, zone=ZONE)
        files = write_some([buyers[0].actor, sellers[0].actor], today=timezone.localdate(until))
        bookings = upload_one(self.stage)
        count_freight(now=timezone.now())
        note_heartbeat(DEMO, whole=True)
        self.say(
            f"{counts.parcels:,} parcels ({counts.cancelled:,} cancelled, {counts.refused:,} found no place),"
            f" {counts.scans:,} scans ({counts.duplicates:,} came twice), {counts.overdue:,} times overdue,"
            f" {counts.excused:,} breaches excused for the typhoon, {counts.claimed:,} excuses claimed,"
            f" {moved} deliveries moved, {returns} returns asked for, {files} exports,"
            f" {bookings.booked} parcels booked from a file, {handed} for pickups and manifests"
        )

    def on_day(self, number: int, day: date) -> None:
        # Weeks pass in seconds: before the first autovacuum, plans would assume empty tables.
        if number in (2, 6, 15, 30):
            analyze()
        if graded := keep_scorecards(day, until=self.stage.until):
            self.say(f"day {number} of {self.days} ({day}): scorecards final, {graded} grades change")
        self.note(number)
        if number % 10 == 0 or number == self.days:
            counts = self.stage.counts
            self.say(
                f"day {number} of {self.days} ({day}): {counts.parcels:,} parcels, {counts.scans:,} scans"
            )

    def note(self, day: int) -> None:
        """Record the progress, which every page shows."""
        note_heartbeat(DEMO, whole=False, people=True, day=day, days=self.days)

    def say(self, text: str) -> None:
        self.stdout.write(f"demo {time.monotonic() - self.started:5.1f} s  {text}")
        self.stdout.flush()


def analyze() -> None:
    """Update the statistics of all tables, which is for their owner."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
