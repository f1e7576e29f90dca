"""The body of calls about many parcels: a list of tracking numbers."""

from django.utils.translation import gettext as _

from alliance.api.parsing import refuse_unknown_fields
from alliance.errors import AllianceError, FieldError, InvalidInput, NotFound, TooLarge
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from parcels.bookings.rules import BATCH_LIMIT

FIELD = "tracking_numbers"
_ARRAY = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": BATCH_LIMIT}
# The schema of the body, for `extend_schema`.
NUMBERS_SCHEMA = {
    "application/json": {
        "oneOf": [
            _ARRAY,
            {
                "type": "object",
                "properties": {FIELD: _ARRAY},
                "required": [FIELD],
                "additionalProperties": False,
            },
        ]
    }
}


def read_numbers(body: object) -> tuple[list[object], str]:
    """Return the items of a list and the JSON pointer to it. Raises InvalidInput and TooLarge."""
    refuse_unknown_fields(body, (FIELD,))
    items, base = (body.get(FIELD), f"/{FIELD}") if isinstance(body, dict) else (body, "")
    if not isinstance(items, list) or not items:
        message = _("Send an array of tracking numbers, or an object with the array in “%s”.") % FIELD
        raise InvalidInput(errors=[FieldError(base, message, "invalid")])
    if len(items) > BATCH_LIMIT:
        raise TooLarge(_("A batch can have at most %d parcels. Split it.") % BATCH_LIMIT)
    return items, base


def parcel_id_of(item: object, pointer: str) -> int | AllianceError:
    """Return the id of a listed number, or what is wrong with it."""
    if not isinstance(item, str):
        return InvalidInput(errors=[FieldError(pointer, _("Send the tracking number as a text."), "invalid")])
    try:
        return parse_tracking_number(item)
    except InvalidTrackingNumber as error:
        return NotFound(str(error), errors=[FieldError(pointer, str(error), error.reason)])
