"""Parse the JSON of quote and booking requests into the services' requests, or into errors with pointers.

Hand-written instead of a serializer: a batch of a thousand is read in a few milliseconds, and single and
batch bookings report the same errors.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from alliance.cities import MOST_LETTERS, CityFinder, UnknownCity, cities_of
from alliance.errors import FieldError, InvalidInput
from alliance.models import City
from alliance.public_ids import IdKind, row_id_or_none
from alliance.tenancy import Actor
from alliance.texts import one_line, plain
from alliance.unknown_fields import unknown_fields
from parcels.bookings.rules import (
    MOST_PIECES,
    REFERENCE_LENGTH,
    BookingRequest,
    IfFull,
    Recipient,
    pickup_problems,
    text_problems,
)
from parcels.models import PickupAddress, SavedRecipient
from parcels.returns.services.issuing import ReturnOrder
from slas.offers.quotes import QuoteRequest
from slas.promises.prices import InvalidAmount, fen_from_yuan
from slas.promises.tiers import tier_named

FIELDS = frozenset(
    {
        "tier", "origin", "destination", "pickup_address", "weight_g", "ready_at", "recipient", "reference",
        "courier", "expected_deliver_by", "expected_pickup_by", "expected_price", "if_full", "pieces",
        "recipient_id", "declared_value",
    }
)  # fmt: skip
PIECE_FIELDS = frozenset({"weight_g", "expected_price", "declared_value"})
RECIPIENT_FIELDS = frozenset({"name", "phone", "address"})
QUOTE_FIELDS = frozenset(
    {"tier", "origin", "destination", "pickup_address", "weight_g", "ready_at", "reference", "declared_value"}
)
RETURN_FIELDS = frozenset(
    {
        "tier", "courier", "pickup_address", "weight_g", "ready_at", "reference", "expected_deliver_by",
        "expected_pickup_by", "expected_price", "if_full",
    }
)  # fmt: skip
_MAX_WEIGHT = 2**31 - 1


class Places:
    """The cities, pickup addresses and saved recipients of one request; each is looked up once."""

    def __init__(self, actor: Actor, bodies: Iterable[object] = ()) -> None:
        self._actor = actor
        self._addresses: dict[int, City | None] = {}
        objects = [body for body in bodies if isinstance(body, Mapping)]
        codes: set[Any] = {
            text for body in objects for key in ("origin", "destination") if _is_code(text := body.get(key))
        }
        self._cities = CityFinder(cities_of(codes))
        ids = {_address_id(body.get("pickup_address")) for body in objects} - {None}
        if ids:
            self._addresses.update({pk: None for pk in ids if pk})
            addresses = PickupAddress.objects.visible_to(actor).filter(pk__in=ids).select_related("city")
            self._addresses.update({address.pk: address.city for address in addresses})
        named = {recipient_of(body) for body in objects} - {None}
        recipients = SavedRecipient.objects.visible_to(actor).filter(pk__in=named) if named else ()
        self._recipients = {recipient.pk: recipient for recipient in recipients}

    def recipient(self, recipient_id: int | None) -> SavedRecipient | None:
        """Return one of the actor's saved recipients."""
        return None if recipient_id is None else self._recipients.get(recipient_id)

    def city(self, text: str) -> City:
        """Return the city named by a text. Raises UnknownCity."""
        return self._cities.find(text)

    def city_of_address(self, address_id: int) -> City | None:
        """Return the city of one of the actor's pickup addresses."""
        if address_id not in self._addresses:
            addresses = PickupAddress.objects.visible_to(self._actor).select_related("city")
            address = addresses.filter(pk=address_id).first()
            self._addresses[address_id] = address.city if address else None
        return self._addresses[address_id]


def lists_pieces(body: object) -> bool:
    """Whether a booking lists the parcels of an order."""
    return isinstance(body, dict) and body.get("pieces") is not None


def read_order(body: object, places: Places, *, at: datetime) -> list[BookingRequest]:
    """Read a booking, of a parcel or of an order with its `pieces`. Raises InvalidInput with all errors."""
    reader = _Reader(body, places, "", FIELDS)
    pieces = reader.pieces()
    origin, destination, address_id = reader.ends()
    saved = reader.saved_recipient(destination)
    inner = None if saved else reader.inner("recipient", RECIPIENT_FIELDS)
    request = BookingRequest(
        tier=tier_named(reader.text("tier", required=True)),
        origin=origin,
        destination=destination,
        weight_g=reader.whole_number("weight_g") if pieces is None else 0,
        ready_at=reader.moment("ready_at") or at,
        recipient=saved or _written(inner),
        courier=reader.text("courier"),
        reference=plain(reader.text("reference")),
        pickup_address_id=address_id,
        expected_deliver_by=reader.moment("expected_deliver_by"),
        expected_pickup_by=reader.moment("expected_pickup_by"),
        expected_price_fen=reader.amount("expected_price"),
        if_full=reader.choice("if_full", IfFull, IfFull.REFUSE),
        declared_value_fen=reader.amount("declared_value") or None,
    )
    reader.finish(*([inner] if inner else []))
    if pieces is None:
        return [request]
    return [
        replace(
            request,
            weight_g=weight_g,
            expected_price_fen=price_fen,
            declared_value_fen=value_fen,
            piece=n,
            pieces=len(pieces),
        )
        for n, (weight_g, price_fen, value_fen) in enumerate(pieces, start=1)
    ]


def recipient_of(body: object) -> int | None:
    """The row of the saved recipient that a booking names, if it names one."""
    value = body.get("recipient_id") if isinstance(body, Mapping) else None
    return row_id_or_none(IdKind.RECIPIENT, value)


def _written(inner: "_Reader | None") -> Recipient:
    if inner is None:
        return _NOBODY
    name, phone, address = (inner.text(name, required=True) for name in ("name", "phone", "address"))
    return Recipient.written(name, phone, address)


def read_quote(body: object, places: Places, *, at: datetime) -> QuoteRequest:
    """Read one quote request. Raises InvalidInput with all errors of its fields."""
    reader = _Reader(body, places, "", QUOTE_FIELDS)
    origin, destination, _address_id = reader.ends()
    request = QuoteRequest(
        origin=origin,
        destination=destination,
        weight_g=reader.whole_number("weight_g"),
        ready_at=reader.moment("ready_at") or at,
        tier=tier_named(reader.text("tier")),
        reference=plain(reader.text("reference")),
        declared_value_fen=reader.amount("declared_value") or None,
    )
    reader.errors += text_problems("/reference", request.reference, REFERENCE_LENGTH, required=False)
    reader.finish()
    return request


def read_return(body: object, places: Places) -> ReturnOrder:
    """Read how a parcel is to come back. Raises InvalidInput with all errors of its fields."""
    reader = _Reader(body, places, "", RETURN_FIELDS)
    order = ReturnOrder(
        tier=tier_named(reader.text("tier", required=True)),
        courier=reader.text("courier"),
        address_id=reader.address(),
        weight_g=reader.whole_number("weight_g") if reader.has("weight_g") else None,
        reference=plain(reader.text("reference")) if reader.has("reference") else None,
        ready_at=reader.moment("ready_at"),
        expected_deliver_by=reader.moment("expected_deliver_by"),
        expected_pickup_by=reader.moment("expected_pickup_by"),
        expected_price_fen=reader.amount("expected_price"),
        if_full=reader.choice("if_full", IfFull, IfFull.REFUSE),
    )
    reader.finish()
    return order


class _Reader:
    """Reads one JSON object field by field, collects its errors and raises them at the end."""

    def __init__(self, body: object, places: Places, pointer: str, fields: frozenset[str]) -> None:
        self.errors: list[FieldError] = []
        self._places = places
        self._pointer = pointer
        if not isinstance(body, dict):
            raise InvalidInput(errors=[FieldError(pointer, _("Send an object with the fields."), "invalid")])
        self._body: dict[str, Any] = body
        self.errors += unknown_fields(body, fields, pointer=pointer)

    def finish(self, *others: "_Reader") -> None:
        errors = [*self.errors, *(error for other in others for error in other.errors)]
        if errors:
            raise InvalidInput(errors=errors)

    def has(self, name: str) -> bool:
        return self._body.get(name) is not None

    def text(self, name: str, *, required: bool = False) -> str:
        value = self._body.get(name)
        if not isinstance(value, str | None):
            self._wrong(name, _("Send text."), "invalid")
            return ""
        # Without what nobody sees: blanks are no text.
        text = one_line(value or "")
        if required and not text:
            self._wrong(name, _("This field is required."), "required")
        return text

    def whole_number(self, name: str) -> int:
        value = self._body.get(name)
        if value is None:
            self._wrong(name, _("This field is required."), "required")
        elif isinstance(value, bool) or not isinstance(value, int):
            self._wrong(name, _("Send a whole number."), "invalid")
        else:
            return max(min(value, _MAX_WEIGHT), -1)
        return 0

    def moment(self, name: str) -> datetime | None:
        value = self._body.get(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            message = _("Send a time in RFC 3339 format, such as 2026-11-22T10:00:00+08:00.")
            self._wrong(name, message, "invalid")
            return None
        offset = moment.utcoffset()
        if offset is None:
            self._wrong(name, _("Include the UTC offset."), "naive")
            return None
        if offset % timedelta(minutes=1):
            self._wrong(name, _("Write the UTC offset in hours and minutes, such as +08:00."), "invalid")
            return None
        return moment

    def amount(self, name: str) -> int | None:
        """Return an amount in fen: a text, as we send it, or a number."""
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._wrong(name, _("Enter the amount in digits, such as 12.50."), "invalid")
            return None
        try:
            return fen_from_yuan(str(value))
        except InvalidAmount as refusal:
            self._wrong(name, refusal.message, refusal.code)
            return None

    def choice(self, name: str, kind: type[IfFull], default: IfFull) -> IfFull:
        value = self._body.get(name)
        if value is None:
            return default
        try:
            return kind(value)
        except ValueError:
            options = ", ".join(kind)
            self._wrong(name, _("Send one of: %s.") % options, "choice")
            return default

    def pieces(self) -> list[tuple[int, int | None, int | None]] | None:
        """Return the weights of an order's parcels and their expected prices; None for a parcel alone."""
        value = self._body.get("pieces")
        if value is None:
            return None
        for name in sorted(PIECE_FIELDS):
            if self._body.get(name) is not None:
                self._wrong(name, _("Give this for each parcel in “pieces”."), "in_pieces")
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_PIECES:
            message = _("Send an array of 1 to %(most)d parcels, each with its weight.")
            self._wrong("pieces", message % {"most": MOST_PIECES}, "invalid")
            return []
        pieces: list[tuple[int, int | None, int | None]] = []
        for place, item in enumerate(value):
            pointer = f"{self._pointer}/pieces/{place}"
            if not isinstance(item, dict):
                message = _("Send an object with the fields.")
                self.errors.append(FieldError(pointer, message, "invalid"))
                continue
            reader = _Reader(item, self._places, pointer, PIECE_FIELDS)
            value_fen = reader.amount("declared_value") or None
            pieces.append((reader.whole_number("weight_g"), reader.amount("expected_price"), value_fen))
            self.errors += reader.errors
        return pieces

    def inner(self, name: str, fields: frozenset[str]) -> "_Reader":
        value = self._body.get(name)
        if value is None:
            self._wrong(name, _("This field is required."), "required")
        elif isinstance(value, dict):
            return _Reader(value, self._places, f"{self._pointer}/{name}", fields)
        else:
            self._wrong(name, _("Send an object with the fields."), "invalid")
        # A placeholder without errors of its own: the error is already recorded.
        return _Reader(dict.fromkeys(fields, "-"), self._places, f"{self._pointer}/{name}", fields)

    def saved_recipient(self, destination: City) -> Recipient | None:
        """The saved recipient that is named instead of one; None if none is."""
        value = self._body.get("recipient_id")
        if value is None:
            return None
        saved = self._places.recipient(row_id_or_none(IdKind.RECIPIENT, value))
        if self._body.get("recipient") is not None:
            self._wrong("recipient_id", _("Send a recipient or a recipient_id, not both."), "invalid")
        elif saved is None:
            self._wrong("recipient_id", _("Unknown recipient."), "unknown")
        elif destination is not _NOWHERE and saved.city_id != destination.pk:
            self._wrong("recipient_id", _("This recipient is not in the destination city."), "other_city")
        return Recipient(saved.name, saved.phone, saved.address) if saved else _NOBODY

    def ends(self) -> tuple[City, City, int | None]:
        """Origin, destination and pickup address; without an origin, the address's city is used."""
        address_id, at_address = self._pickup_address()
        destination = self._city("destination", required=True)
        origin = self._city("origin", required=at_address is None and address_id is None) or at_address
        if origin and at_address:
            self.errors += pickup_problems(f"{self._pointer}/pickup_address", at_address.pk, origin)
        # Placeholders after an error: nothing is booked, because finish() raises.
        return origin or _NOWHERE, destination or _NOWHERE, address_id

    def address(self) -> int | None:
        """One of the merchant's addresses."""
        return self._pickup_address()[0]

    def _pickup_address(self) -> tuple[int | None, City | None]:
        value = self._body.get("pickup_address")
        if value is None:
            return None, None
        address_id = _address_id(value)
        city = None if address_id is None else self._places.city_of_address(address_id)
        if city is None:
            self._wrong("pickup_address", _("Unknown pickup address."), "unknown")
            return 0, None
        return address_id, city

    def _city(self, name: str, *, required: bool) -> City | None:
        text = self.text(name, required=required)
        if not text:
            return None
        problems = list(text_problems(f"{self._pointer}/{name}", text, MOST_LETTERS))
        self.errors += problems
        if problems:
            return None
        try:
            return self._places.city(text)
        except UnknownCity as unknown:
            self._wrong(name, str(unknown), unknown.code)
            return None

    def _wrong(self, name: str, message: str, code: str) -> None:
        self.errors.append(FieldError(f"{self._pointer}/{name}", message, code))


_NOWHERE = City()
_NOBODY = Recipient("-", "-", "-")


def _is_code(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 16 and value.isascii() and value.isprintable()


def _address_id(value: object) -> int | None:
    return row_id_or_none(IdKind.PICKUP_ADDRESS, value)


def under(pointer: str, errors: Iterable[FieldError]) -> Iterator[FieldError]:
    """Prefix the pointers of an item's errors with the item's pointer."""
    for error in errors:
        yield FieldError(f"{pointer}{error.pointer}", error.message, error.code)
