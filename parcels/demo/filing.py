"""A booking file of the demo's merchant, with typical errors."""

import csv
import io
from random import Random
from typing import Final

from django.core.files.uploadedfile import SimpleUploadedFile

from alliance.tenancy import Scope, scope
from parcels.booking_files.columns import COLUMNS
from parcels.booking_files.models import BookingFile
from parcels.booking_files.services.files import book_file, start_booking_file
from parcels.demo.days import Stage, recipient

ROWS: Final = 24
# By line of the file: a column and what stands there.
MISTAKES: Final = {
    5: ("destination", "Suzhou"),
    9: ("weight_g", "1.2kg"),
    13: ("recipient_phone", "1.38123E+10"),
    16: ("recipient_address", ""),
    # The reference of the line before.
    20: ("reference", "SALE-1019"),
}


def upload_one(stage: Stage) -> BookingFile:
    """Have the merchant who can log in book a morning's orders from a spreadsheet."""
    actor = stage.buyers[0].actor
    upload = SimpleUploadedFile("orders-of-the-morning.csv", _content(stage).encode("utf-8-sig"), "text/csv")
    with scope(Scope.of(actor)):
        file = start_booking_file(actor=actor, upload=upload)
    book_file(file_id=file.pk)
    with scope(Scope.of(actor)):
        file.refresh_from_db()
    return file


def _content(stage: Stage) -> str:
    # Its own, so that what comes after in the demo is as it was.
    random, buyer = Random(20_261_122), stage.buyers[0]
    seller = next(seller for seller in stage.sellers if buyer.city in seller.cities)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for line in range(2, ROWS + 2):
        destination = random.choice([city for city in seller.cities if city != buyer.city])
        to = recipient(random, destination)
        column, value = MISTAKES.get(line, ("if_full", "next"))
        row = {
            "reference": f"SALE-{1_000 + line}",
            "tier": "next_day",
            "origin": buyer.city.code,
            "destination": destination.code,
            "weight_g": random.randint(200, 4_000),
            "recipient_name": to.name,
            "recipient_phone": to.phone,
            "recipient_address": to.address,
        }
        writer.writerow({**row, column: value})
    return text.getvalue()
