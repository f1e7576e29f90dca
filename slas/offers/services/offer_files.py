"""Write a courier's offers from the rows of a file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.csv_files.reading import examine
from alliance.csv_files.refusals import refused
from alliance.errors import FieldError, InvalidInput
from alliance.tenancy import Actor, require
from alliance.texts import shortened
from couriers.applications.queries import approved_cities
from slas.offers.models import Offer
from slas.offers.services.capacity import follow_offers
from slas.offers.services.offer_rows import FORMAT, MAX_ROWS, OfferRow, TermsReader, read_rows
from slas.offers.services.offers import OfferTerms, first_day_of_change

# Tier, origin and destination: a courier has one offer for each combination.
_Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row of a file: created, changed, unchanged or rejected."""

    line: int
    outcome: str
    lane: str
    errors: tuple[FieldError, ...] = ()


def read_offer_file(content: bytes) -> list[OfferRow]:
    """Return the rows of an offer CSV. Raises InvalidInput for other files."""
    file = io.BytesIO(content)
    rows = list(read_rows(file, examine(file, FORMAT).encoding))
    if len(rows) > MAX_ROWS:
        raise refused(
            _("The file has %(rows)s rows; the limit is %(most)s. Split it.")
            % {"rows": f"{len(rows):,}", "most": f"{MAX_ROWS:,}"}
        )
    return rows


def save_offer_rows(*, actor: Actor, rows: Sequence[OfferRow]) -> list[RowResult]:
    """Create or change one offer per row; a bad row is reported and the others are saved.

    All valid rows are saved in one statement. Saving the same rows again changes nothing.
    """
    require(actor, Capability.MANAGE_OFFERS)
    results: list[RowResult] = []
    changes: dict[_Key, OfferTerms] = {}
    lines: dict[_Key, int] = {}
    existing = {_key(offer): offer for offer in Offer.objects.filter(courier_id=actor.tenant_id)}
    reader = TermsReader(approved_cities(actor.tenant_id))
    for row in rows:
        try:
            terms = reader.terms(row)
            key = (terms.tier.pk, terms.origin.pk, terms.destination.pk)
            if key in lines:
                message = _("Line %(line)d already has this lane and tier.") % {"line": lines[key]}
                raise InvalidInput(errors=[FieldError("/tier", message, "duplicate")])
        except InvalidInput as error:
            ends = (shortened(row.cells.get(name, "")) for name in ("origin", "destination"))
            results.append(RowResult(row.line, "rejected", " → ".join(ends), tuple(error.errors)))
            continue
        lines[key] = row.line
        outcome = _outcome(existing.get(key), terms)
        if outcome != "unchanged":
            changes[key] = terms
        results.append(RowResult(row.line, outcome, f"{terms.origin} → {terms.destination}"))
    if changes:
        _upsert(actor, list(changes.values()))
        changed = [existing[key].pk for key in changes if key in existing]
        follow_offers(changed, first_day=first_day_of_change())
    return results


def _outcome(offer: Offer | None, terms: OfferTerms) -> str:
    if offer is None:
        return "created"
    is_same = (offer.price_fen, offer.daily_capacity, offer.active) == (
        terms.price_fen,
        terms.daily_capacity,
        terms.active,
    )
    return "unchanged" if is_same else "changed"


def _upsert(actor: Actor, changes: Sequence[OfferTerms]) -> None:
    now = timezone.now()
    offers = [
        Offer(
            courier_id=actor.tenant_id, tier=terms.tier, origin=terms.origin, destination=terms.destination,
            price_fen=terms.price_fen, daily_capacity=terms.daily_capacity, active=terms.active,
            updated_at=now,
        )
        for terms in changes
    ]  # fmt: skip
    # An upsert: a concurrent upload of the same file must not fail this one.
    Offer.objects.bulk_create(
        offers,
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=["courier", "tier", "origin", "destination"],
        update_fields=["price_fen", "daily_capacity", "active", "updated_at"],
    )
    audit.record(
        actor=actor,
        verb="offers.uploaded",
        object_type="offer",
        object_id="",
        detail={"offers": len(changes)},
    )


def _key(offer: Offer) -> _Key:
    return offer.tier_id, offer.origin_id, offer.destination_id
