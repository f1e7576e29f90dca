"""Booking files for tests: rows, uploads and results."""

import csv
import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from alliance.csv_files.writing import stream
from alliance.tenancy import Actor, Scope, scope
from parcels.booking_files.services.files import book_file, start_booking_file
from parcels.booking_files.services.results import rejected_path, results_path
from parcels.models import BookingFile

HEADER = (
    "reference",
    "tier",
    "origin",
    "destination",
    "weight_g",
    "recipient_name",
    "recipient_phone",
    "recipient_address",
    "if_full",
)
GOOD = {
    "tier": "next_day",
    "origin": "CN-HGH",
    "destination": "CN-CTU",
    "weight_g": "800",
    "recipient_name": "王小明",
    "recipient_phone": "13812345678",
    "recipient_address": "人民南路四段12号3单元1203室",
}


def row(**cells: str) -> dict[str, str]:
    return {**GOOD, **cells}


def text_of(*rows: dict[str, str], header: tuple[str, ...] = HEADER) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, header, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def upload_of(content: str | bytes, name: str = "bookings.csv") -> SimpleUploadedFile:
    data = content.encode() if isinstance(content, str) else content
    return SimpleUploadedFile(name, data, "text/csv")


def started(merchant: Actor, content: str | bytes, **options: Any) -> BookingFile:
    with scope(Scope.of(merchant)):
        return start_booking_file(actor=merchant, upload=upload_of(content), **options)


def finished(merchant: Actor, content: str | bytes, **options: Any) -> BookingFile:
    """Upload a file and book all its rows."""
    file = started(merchant, content, **options)
    assert book_file(file_id=file.pk)
    return reread(file)


def reread(file: BookingFile) -> BookingFile:
    with scope(Scope.everything()):
        return BookingFile.objects.get(pk=file.pk)


def counts(file: BookingFile) -> tuple[str, int, int, int, int]:
    return file.state, file.done, file.booked, file.duplicate, file.rejected


def results(file: BookingFile) -> list[dict[str, str]]:
    """The rows of the downloaded results."""
    file = reread(file)
    if not file.results_size:
        return []
    text = b"".join(stream(results_path(file), file.results_size)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def to_correct(file: BookingFile) -> str:
    file = reread(file)
    return b"".join(stream(rejected_path(file), file.rejected_size)).decode("utf-8-sig")


def outcomes(file: BookingFile) -> list[tuple[str, str, str, str]]:
    """Line, result, column and problem of each row."""
    return [
        (result["line"], result["result"], result["column"], result["problem"]) for result in results(file)
    ]
