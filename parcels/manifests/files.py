"""A manifest as PDF and as CSV."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from alliance.clocks import local_clock
from alliance.csv_cells import safe_cell
from alliance.csv_files.headers import header
from alliance.dates import date_text
from alliance.tenancy import Actor
from parcels.labels.rules import shown
from parcels.manifests.models import Manifest
from parcels.manifests.pdf import Paper, Section, render
from parcels.manifests.queries import Line, all_lines

_BYTE_ORDER_MARK: Final = "\ufeff"
_LISTED: Final = frozenset({"to_pick_up", "picked_up", "refused"})


@dataclass(frozen=True, slots=True)
class _Row:
    """A line with its recipient, always masked: lists lie about."""

    line: Line
    recipient: str
    reference: str


# Documented in docs/manifests.md; a test compares the two.
COLUMNS: Final[dict[str, Callable[[_Row], object]]] = {
    "tracking_number": lambda row: row.line.parcel.number,
    "reference": lambda row: safe_cell(row.reference),
    "handover": lambda row: row.line.outcome,
    "destination": lambda row: row.line.parcel.destination.code,
    "destination_name": lambda row: safe_cell(row.line.parcel.destination.name),
    "recipient_name": lambda row: safe_cell(row.recipient),
    "weight_g": lambda row: row.line.parcel.weight_g or "",
    "status": lambda row: row.line.parcel.status,
}


def as_csv(actor: Actor, manifest: Manifest) -> str:
    """Write a line a parcel: those on the manifest, then those missing and taken off."""
    out = io.StringIO(newline="")
    out.write(_BYTE_ORDER_MARK)
    writer = csv.writer(out)
    writer.writerow(header(COLUMNS))
    for line in all_lines(actor, manifest):
        row = _row(line)
        writer.writerow([make(row) for make in COLUMNS.values()])
    return out.getvalue()


def as_pdf(actor: Actor, manifest: Manifest) -> bytes:
    """Draw the list; cancelled parcels are not on it."""
    rows = [_row(line) for line in all_lines(actor, manifest)]
    kept = {
        name: [row for row in rows if row.line.outcome in outcomes]
        for name, outcomes in (("listed", _LISTED), ("extra", {"extra"}), ("missing", {"missing"}))
    }
    handed_over = [*kept["listed"], *kept["extra"]]
    grams = sum(row.line.parcel.weight_g or 0 for row in handed_over)
    sections = [Section(_("Parcels"), _numbered(kept["listed"]))]
    if kept["extra"]:
        sections.append(Section(_("Handed over beside the list"), _numbered(kept["extra"])))
    left = []
    if kept["missing"]:
        left.append(Section(_("Missing: on the list, not found"), _numbered(kept["missing"])))
    paper = Paper(
        number=manifest.number,
        address=address_of(manifest),
        state=_state(manifest),
        facts=_facts(manifest, len(handed_over), grams),
        columns=["", _("Tracking number"), _("Reference"), _("To"), _("kg"), _("Recipient"), ""],
        sections=sections,
        total=[str(len(handed_over)), _("in total"), "", "", _kilograms(grams), "", ""],
        left=left,
        remarks=[
            (side, text)
            for side, text in (
                (_("Merchant's remark"), manifest.merchant_remark),
                (_("Courier's remark"), manifest.courier_remark),
            )
            if text
        ],
        sides=(
            (_("Handed over by"), manifest.merchant.organisation.name),
            (_("Taken over by"), manifest.courier.organisation.name),
        ),
    )
    return render(paper)


def address_of(manifest: Manifest) -> str:
    """Return the address that the QR code opens."""
    return settings.PUBLIC_URL.rstrip("/") + reverse("parcels:manifest_detail", args=[manifest.number])


def place_text(manifest: Manifest) -> str:
    """Return where a manifest is picked up."""
    if (address := manifest.pickup_address) is None:
        return manifest.origin.name
    return f"{address.name} · {manifest.origin.name}, {address.address}"


def _facts(manifest: Manifest, count: int, grams: int) -> list[tuple[str, str]]:
    zone = manifest.origin.time_zone
    facts = [
        (_("Merchant"), manifest.merchant.organisation.name),
        (_("Courier"), manifest.courier.organisation.name),
        (_("Pickup address"), place_text(manifest)),
        (_("Pickup day"), f"{date_text(manifest.day, 'DATE_FORMAT')} · {_ordinal(manifest)}"),
        (_("Parcels"), f"{count} · {_kilograms(grams)} kg"),
        (_("Made"), date_text(local_clock(manifest.made_at, zone), "DATETIME_FORMAT")),
    ]
    if address := manifest.pickup_address:
        facts.append((_("Contact"), f"{address.contact_name} · {address.contact_phone}"))
    if manifest.picked_up_at:
        at = local_clock(manifest.picked_up_at, zone)
        facts.append((_("Picked up"), date_text(at, "DATETIME_FORMAT")))
    return facts


def _ordinal(manifest: Manifest) -> str:
    return pgettext("of a day's manifests", "no. %(number)d") % {"number": manifest.ordinal}


def _state(manifest: Manifest) -> str:
    return f"{manifest.number} · {manifest.get_state_display()}"


def _kilograms(grams: int) -> str:
    return f"{grams / 1000:.2f}"


def _row(line: Line) -> _Row:
    parcel = line.parcel
    masked = shown(
        name=parcel.recipient_name,
        phone=parcel.recipient_phone,
        address=parcel.recipient_address,
        reference=parcel.reference,
        is_masked=True,
    )
    return _Row(line, masked.recipient, masked.reference)


def _numbered(rows: Sequence[_Row]) -> Iterator[Sequence[str]]:
    for number, row in enumerate(rows, 1):
        parcel = row.line.parcel
        weight = _kilograms(parcel.weight_g) if parcel.weight_g else "–"
        yield [
            str(number), parcel.number, row.reference, parcel.destination.name, weight, row.recipient, "",
        ]  # fmt: skip
