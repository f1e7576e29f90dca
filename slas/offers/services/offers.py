"""Write a courier's offers, one by one and from a file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alliance import audit
from alliance.choices import Capability
from alliance.cities import CityFinder, UnknownCity
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.models import City
from alliance.tenancy import Actor, require
from slas.offers.models import Offer
from slas.offers.services.capacity import follow_offers
from slas.promises.models import ServiceTier
from slas.promises.prices import InvalidAmount, fen_from_yuan

COLUMNS = ("tier", "origin", "destination", "price", "daily_capacity", "on_sale")
MAX_ROWS = 20_000
MAX_PRICE_FEN = 10_000_000
MAX_CAPACITY = 10_000_000
_TRUE, _FALSE = {"", "yes", "true", "1", "y", "on", "是"}, {"no", "false", "0", "n", "off", "否"}


# Tier, origin and destination: a courier has one offer for each combination.
_Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """The terms of an offer: a lane at a tier, its price, and its daily capacity."""

    tier: ServiceTier
    origin: City
    destination: City
    price_fen: int
    daily_capacity: int
    active: bool = True


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row of a file: created, changed, unchanged or rejected."""

    line: int
    outcome: str
    lane: str
    errors: tuple[FieldError, ...] = ()


def create_offer(*, actor: Actor, terms: OfferTerms) -> Offer:
    """Create an offer of a lane at a tier. Raises Conflict when the courier has one already."""
    require(actor, Capability.MANAGE_OFFERS)
    _check(terms)
    courier_id = actor.tenant_id
    existing = Offer.objects.filter(
        courier_id=courier_id, tier=terms.tier, origin=terms.origin, destination=terms.destination
    )
    if existing.exists():
        raise Conflict(
            _("You already sell this lane at this tier. Change that offer instead."), code="offer_exists"
        )
    offer = Offer.objects.create(
        courier_id=courier_id, tier=terms.tier, origin=terms.origin, destination=terms.destination,
        price_fen=terms.price_fen, daily_capacity=terms.daily_capacity, active=terms.active,
    )  # fmt: skip
    _record(actor, "offer.created", offer)
    return offer


def change_offer(*, actor: Actor, offer_id: int, price_fen: int, daily_capacity: int, active: bool) -> Offer:
    """Change price, daily capacity or whether it is on sale. The lane and the tier stay.

    Bookings keep their price; the new capacity applies from today on. Without a difference nothing changes.
    Raises NotFound for offers of others.
    """
    require(actor, Capability.MANAGE_OFFERS)
    offer = Offer.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    terms = OfferTerms(offer.tier, offer.origin, offer.destination, price_fen, daily_capacity, active)
    _check(terms)
    if (offer.price_fen, offer.daily_capacity, offer.active) == (price_fen, daily_capacity, active):
        return offer
    offer.price_fen, offer.daily_capacity, offer.active = price_fen, daily_capacity, active
    offer.save(update_fields=["price_fen", "daily_capacity", "active", "updated_at"])
    follow_offers([offer.pk], first_day=_first_day())
    _record(actor, "offer.changed", offer)
    return offer


def read_offer_file(content: bytes) -> list[dict[str, str]]:
    """Return the rows of an offer CSV. Raises InvalidInput for other files."""
    text = _decode(content)
    # An unclosed quotation mark would swallow the rows after it: no valid value contains a line break.
    open_quote = next((n for n, line in enumerate(text.splitlines(), start=1) if line.count('"') % 2), None)
    if open_quote is not None:
        raise _file_error(_("Line %(line)d has a quotation mark that is not closed.") % {"line": open_quote})
    reader = csv.DictReader(io.StringIO(text))
    names = [name.strip().lower() for name in reader.fieldnames or []]
    missing = [column for column in COLUMNS[:5] if column not in names]
    if missing:
        message = _("The first line must name the columns %(all)s; missing: %(missing)s.")
        raise _file_error(message % {"all": ", ".join(COLUMNS), "missing": ", ".join(missing)})
    reader.fieldnames = names
    try:
        rows = [
            {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
            for row in reader
        ]
    except csv.Error as error:
        raise _file_error(
            _("Line %(line)d is not valid CSV: %(error)s") % {"line": reader.line_num, "error": error}
        ) from None
    if not rows:
        raise _file_error(_("The file has a header but no rows."))
    if len(rows) > MAX_ROWS:
        message = ngettext(
            "The file has more than %(most)d row.", "The file has more than %(most)d rows.", MAX_ROWS
        )
        raise _file_error(message % {"most": MAX_ROWS})
    return rows


def save_offer_rows(*, actor: Actor, rows: Sequence[dict[str, str]]) -> list[RowResult]:
    """Create or change one offer per row; a bad row is reported and the others are saved.

    All valid rows are saved in one statement. Saving the same rows again changes nothing.
    """
    require(actor, Capability.MANAGE_OFFERS)
    results: list[RowResult] = []
    changes: dict[_Key, OfferTerms] = {}
    lines: dict[_Key, int] = {}
    existing = {_key(offer): offer for offer in Offer.objects.filter(courier_id=actor.tenant_id)}
    reader = _RowReader()
    for line, row in enumerate(rows, start=2):
        try:
            terms = reader.terms(row)
            key = (terms.tier.pk, terms.origin.pk, terms.destination.pk)
            if key in lines:
                message = _("Line %(line)d already has this lane and tier.") % {"line": lines[key]}
                raise InvalidInput(errors=[FieldError("/tier", message, "duplicate")])
        except InvalidInput as error:
            lane = f"{row.get('origin', '')} → {row.get('destination', '')}"
            results.append(RowResult(line, "rejected", lane, tuple(error.errors)))
            continue
        lines[key] = line
        outcome = _outcome(existing.get(key), terms)
        if outcome != "unchanged":
            changes[key] = terms
        results.append(RowResult(line, outcome, f"{terms.origin} → {terms.destination}"))
    if changes:
        _upsert(actor, list(changes.values()))
        follow_offers([existing[key].pk for key in changes if key in existing], first_day=_first_day())
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


def _first_day() -> date:
    # Time zones differ: from yesterday's date on covers today everywhere.
    return timezone.now().date() - timedelta(days=1)


def _key(offer: Offer) -> _Key:
    return offer.tier_id, offer.origin_id, offer.destination_id


class _RowReader:
    """Reads rows; each tier and city is looked up once per file."""

    def __init__(self) -> None:
        self.tiers = {tier.code: tier for tier in ServiceTier.objects.all()}
        self.cities = CityFinder()

    def terms(self, row: dict[str, str]) -> OfferTerms:
        """Return the terms of a row, or raise InvalidInput with all its errors."""
        errors: list[FieldError] = []
        values: dict[str, Any] = {}
        tier = self.tiers.get(row.get("tier", ""))
        if tier is None:
            message = _("Unknown tier. Choose from: %(known)s.") % {"known": ", ".join(self.tiers)}
            errors.append(FieldError("/tier", message, "choice"))
        for column in ("origin", "destination"):
            try:
                values[column] = self.cities.find(row.get(column, ""))
            except UnknownCity as error:
                errors.append(FieldError(f"/{column}", str(error), error.code))
        try:
            values["price_fen"] = fen_from_yuan(row.get("price", ""))
        except InvalidAmount as error:
            errors.append(FieldError("/price", str(error), error.code))
        capacity = row.get("daily_capacity", "")
        # isdecimal accepts digits of any script, as int() does; a sign, a point or a blank is refused.
        if capacity.isdecimal() and len(capacity) < 12:
            values["daily_capacity"] = int(capacity)
        else:
            message = _("Enter parcels a day as a whole number.")
            errors.append(FieldError("/daily_capacity", message, "number"))
        on_sale = row.get("on_sale", "").lower()
        if on_sale not in _TRUE | _FALSE:
            errors.append(FieldError("/on_sale", _("Enter yes or no."), "choice"))
        if errors or tier is None:
            raise InvalidInput(errors=errors)
        terms = OfferTerms(tier=tier, active=on_sale in _TRUE, **values)
        _check(terms)
        return terms


def _check(terms: OfferTerms) -> None:
    errors = []
    if not 0 < terms.price_fen <= MAX_PRICE_FEN:
        errors.append(FieldError("/price", _("The price must be above 0 and at most 100,000 yuan."), "range"))
    if not 0 <= terms.daily_capacity <= MAX_CAPACITY:
        message = _("The capacity must be from 0 to 10,000,000 parcels a day.")
        errors.append(FieldError("/daily_capacity", message, "range"))
    if errors:
        raise InvalidInput(errors=errors)


def _decode(content: bytes) -> str:
    # Spreadsheets in China save CSV in GB18030; other encodings never decode as UTF-8 by accident, so it is
    # tried first.
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _file_error(_("The file is neither UTF-8 nor GB18030 text."))


def _file_error(message: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError("/file", message, "file")])


def _record(actor: Actor, verb: str, offer: Offer) -> None:
    audit.record(
        actor=actor, verb=verb, object_type="offer", object_id=offer.pk, organisation_id=offer.courier_id,
        detail={"price_fen": offer.price_fen, "daily_capacity": offer.daily_capacity, "active": offer.active},
    )  # fmt: skip
