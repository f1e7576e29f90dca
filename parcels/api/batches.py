"""The bodies of calls about many parcels at once: a list of bookings, or of tracking numbers."""

from django.utils.translation import gettext as _

from alliance.api.parsing import refuse_unknown_fields
from alliance.errors import AllianceError, FieldError, InvalidInput, NotFound, TooLarge
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from parcels.bookings.rules import BATCH_LIMIT

NUMBERS = "tracking_numbers"
_ARRAY = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": BATCH_LIMIT}
# The schema of the body, for `extend_schema`.
NUMBERS_SCHEMA = {
    "application/json": {
        "oneOf": [
            _ARRAY,
            {
                "type": "object",
                "properties": {NUMBERS: _ARRAY},
                "required": [NUMBERS],
                "additionalProperties": False,
            },
        ]
    }
}


def read_numbers(body: object) -> tuple[list[object], str]:
    """Return the numbers of a list and the JSON pointer to it. Raises InvalidInput and TooLarge."""
    message = _("Send an array of tracking numbers, or an object with the array in “%s”.") % NUMBERS
    return read_batch(body, NUMBERS, message)


def read_batch(body: object, field: str, message: str) -> tuple[list[object], str]:
    """Return the items of an array, or of an object's only field, and the JSON pointer to it.

    Raises InvalidInput with the message for anything else, and TooLarge.
    """
    # A misspelt field of the whole, such as `dry_run`, would be carried out for real.
    refuse_unknown_fields(body, (field,))
    items, base = (body.get(field), f"/{field}") if isinstance(body, dict) else (body, "")
    if not isinstance(items, list) or not items:
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
        return NotFound(
            str(error), code="unknown_tracking_number", errors=[FieldError(pointer, str(error), error.reason)]
        )
