"""`manage.py lost_since MOMENT`: what a restore to that moment loses, read from a copy that still has it."""

import csv
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime

from alliance.csv_cells import safe_cell
from alliance.database.slices import in_slices
from alliance.events import Topic
from alliance.identifiers import parcel_id_at
from alliance.models import AuditEntry
from parcels.models import Parcel


class Command(BaseCommand):
    help = (
        "List as CSV what was booked and what people did since a moment: of a copy of the database that was"
        " restored to the end of its archive, for those who have to be told what is lost."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("moment", help="the moment restored to, with its offset: 2026-11-30T08:15:00Z")

    def handle(self, *args: Any, **options: Any) -> None:
        since = _moment(options["moment"])
        table = csv.writer(self.stdout)
        table.writerow(("at", "what", "object", "merchant", "courier", "reference_or_person"))
        # An id holds its moment.
        parcels = Parcel.objects.filter(pk__gte=parcel_id_at(since))
        for parcel in in_slices(parcels.prefetch_related("merchant__organisation", "courier__organisation")):
            cells = (parcel.booked_at.isoformat(), Topic.PARCEL_BOOKED, parcel.number)
            names = (parcel.merchant, parcel.courier, parcel.reference)
            table.writerow((*cells, *(safe_cell(str(name)) for name in names)))
        for entry in in_slices(AuditEntry.objects.filter(at__gte=since)):
            cells = (entry.at.isoformat(), entry.verb, f"{entry.object_type} {entry.object_id}")
            table.writerow((*cells, "", "", safe_cell(entry.actor_label)))


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{text} is no moment with an offset, such as 2026-11-30T08:15:00Z.")
    return moment
