"""The error of a whole file."""

from alliance.errors import FieldError, InvalidInput


def refused(message: str) -> InvalidInput:
    """An error of the field `file`, for a file of which no row is read."""
    return InvalidInput(errors=[FieldError("/file", message)])
