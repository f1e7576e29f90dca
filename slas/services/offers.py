"""What a courier sells: writing offers, one by one and from a file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alliance import audit
from alliance.choices import Capability
from alliance.cities import UnknownCity, resolve_city
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.models import City
from alliance.tenancy import Actor, require
from slas.models import Offer, ServiceTier
from slas.pricing import InvalidAmount, fen_from_yuan
from slas.services.capacity import follow_offers

COLUMNS = ("tier", "origin", "destination", "price", "daily_capacity", "on_sale")
MAX_ROWS = 20_000
MAX_PRICE_FEN = 10_000_000
MAX_CAPACITY = 10_000_000
_TRUE, _FALSE = {"", "yes", "true", "1", "y", "on", "是"}, {"no", "false", "0", "n", "off", "否"}


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """What can be said of an offer: a lane at a tier, its price, and how many parcels a day."""

    tier: ServiceTier
    origin: City
    destination: City
    price_fen: int
    daily_capacity: int
    active: bool = True


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row of a file: created, changed, unchanged or rejected."""

    line: int
    outcome: str
    lane: str
    errors: tuple[FieldError, ...] = ()


def create_offer(*, actor: Actor, terms: OfferTerms) -> Offer:
    """Put a lane on sale at a tier. Raises Conflict when the courier sells it already."""
    require(actor, Capability.MANAGE_OFFERS)
    _check(terms)
    courier_id = actor.tenant_id
    known = Offer.objects.filter(
        courier_id=courier_id, tier=terms.tier, origin=terms.origin, destination=terms.destination
    )
    if known.exists():
        raise Conflict(
            _("You sell this lane at this tier already. Change that offer instead."), code="offer_exists"
        )
    offer = Offer.objects.create(
        courier_id=courier_id, tier=terms.tier, origin=terms.origin, destination=terms.destination,
        price_fen=terms.price_fen, daily_capacity=terms.daily_capacity, active=terms.active,
    )  # fmt: skip
    _record(actor, "offer.created", offer)
    return offer


def change_offer(*, actor: Actor, offer_id: int, price_fen: int, daily_capacity: int, active: bool) -> Offer:
    """Change price, daily capacity or whether it is on sale. The lane and the tier stay.

    What is booked stays booked at its price; the new capacity holds from today on. Changing to what
    is already so changes nothing. Raises NotFound for offers of others.
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
    # Zones differ: from yesterday's date on covers today everywhere.
    follow_offers([offer.pk], first_day=timezone.now().date() - timedelta(days=1))
    _record(actor, "offer.changed", offer)
    return offer


def read_offer_file(content: bytes) -> list[dict[str, str]]:
    """Return the rows of an offer CSV. Raises InvalidInput when it is not one."""
    text = _decode(content)
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
            _("Line %(line)d is not CSV: %(error)s") % {"line": reader.line_num, "error": error}
        ) from None
    if not rows:
        raise _file_error(_("The file has a header and no rows."))
    if len(rows) > MAX_ROWS:
        message = ngettext(
            "The file has more than %(most)d row.", "The file has more than %(most)d rows.", MAX_ROWS
        )
        raise _file_error(message % {"most": MAX_ROWS})
    return rows


def save_offer_rows(*, actor: Actor, rows: Sequence[dict[str, str]]) -> list[RowResult]:
    """Create or change an offer a row; a bad row is reported and the others are kept.

    Saving the same rows again changes nothing.
    """
    require(actor, Capability.MANAGE_OFFERS)
    tiers = {tier.code: tier for tier in ServiceTier.objects.all()}
    cities: dict[str, City] = {}
    results = []
    for number, row in enumerate(rows, start=2):
        lane = f"{row.get('origin', '')} → {row.get('destination', '')}"
        try:
            terms = _terms_of_row(row, tiers, cities)
            # A savepoint a row: what the database refuses costs the other rows nothing.
            with transaction.atomic():
                outcome = _save(actor, terms)
            lane = f"{terms.origin} → {terms.destination}"
            results.append(RowResult(number, outcome, lane))
        except InvalidInput as error:
            results.append(RowResult(number, "rejected", lane, tuple(error.errors)))
    return results


def _save(actor: Actor, terms: OfferTerms) -> str:
    known = Offer.objects.filter(
        courier_id=actor.tenant_id, tier=terms.tier, origin=terms.origin, destination=terms.destination
    ).first()
    if known is None:
        create_offer(actor=actor, terms=terms)
        return "created"
    before = (known.price_fen, known.daily_capacity, known.active)
    if before == (terms.price_fen, terms.daily_capacity, terms.active):
        return "unchanged"
    change_offer(
        actor=actor, offer_id=known.pk, price_fen=terms.price_fen,
        daily_capacity=terms.daily_capacity, active=terms.active,
    )  # fmt: skip
    return "changed"


def _terms_of_row(row: dict[str, str], tiers: dict[str, ServiceTier], cities: dict[str, City]) -> OfferTerms:
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    tier = tiers.get(row.get("tier", ""))
    if tier is None:
        message = _("There is no such tier; there are %(known)s.") % {"known": ", ".join(tiers)}
        errors.append(FieldError("/tier", message, "choice"))
    for column in ("origin", "destination"):
        text = row.get(column, "")
        try:
            if text not in cities:
                cities[text] = resolve_city(text)
            values[column] = cities[text]
        except UnknownCity as error:
            errors.append(FieldError(f"/{column}", str(error), "unknown_city"))
    try:
        values["price_fen"] = fen_from_yuan(row.get("price", ""))
    except InvalidAmount as error:
        errors.append(FieldError("/price", str(error), error.code))
    capacity = row.get("daily_capacity", "")
    # isdecimal takes digits of any script, as int() does; a sign, a point or a blank is refused.
    if capacity.isdecimal() and len(capacity) < 12:
        values["daily_capacity"] = int(capacity)
    else:
        errors.append(FieldError("/daily_capacity", _("Give a whole number of parcels a day."), "number"))
    on_sale = row.get("on_sale", "").lower()
    if on_sale not in _TRUE | _FALSE:
        errors.append(FieldError("/on_sale", _("Say yes or no."), "choice"))
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
    # Spreadsheets in China save CSV in GB18030; UTF-8 never decodes by accident, so it goes first.
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
