"""Cursor pagination: a page costs the same at any depth."""

from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ValidationError
from django.db.models import Field, Model
from django.utils.translation import gettext as _
from rest_framework import exceptions, pagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from alliance.api.authentication import actor_of
from alliance.cursor_seals import Seal
from alliance.cursors import is_comparable
from alliance.database.lists_at_home import Narrow
from alliance.errors import FieldError, InvalidInput

# The parameters of a list that are no filters.
_OF_THE_PAGE: Final = ("cursor", "before", "page_size")
SEAL: Final = "s"


def seal_of(request: Request) -> Seal:
    """Return what the cursors of a request hold for: its list and filters, and the organisation."""
    filters = {name: values for name, values in request.query_params.lists() if name not in _OF_THE_PAGE}
    return Seal.of(actor_of(request), request.path, filters)


def wrong_cursor(name: str) -> InvalidInput:
    """The error of a cursor that is none, or one of another list, other filters or another organisation."""
    message = _("Invalid cursor: use the one in `next` or `previous`, with the same filters.")
    return InvalidInput(errors=[FieldError(f"/{name}", message, "invalid")])


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A list that is narrowed when a page is cut from it: what DRF asks of a queryset."""

    rows: Any
    narrow: Narrow

    def order_by(self, *names: str) -> "Narrowed":
        return replace(self, rows=self.rows.order_by(*names))

    def filter(self, *conditions: Any, **values: Any) -> "Narrowed":
        return replace(self, rows=self.rows.filter(*conditions, **values))

    def __getitem__(self, page: slice) -> Any:
        return self.narrow(self.rows, most=page.stop)[page]


class CursorPagination(pagination.CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        self.model: type[Model] = queryset.model
        return super().paginate_queryset(self.narrowed(queryset), request, view)

    def narrowed(self, queryset: Any) -> Any:
        """Return what pages are cut from: for a list that is asked of some shards, see `Narrowed`."""
        return queryset

    def get_page_size(self, request: Request) -> int:
        """Return the requested size. An invalid one is refused instead of replaced by the default."""
        text = request.query_params.get("page_size", "")
        if not text:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= self.max_page_size):
            message = _("Enter a whole number from 1 to %(most)d.") % {"most": self.max_page_size}
            raise InvalidInput(errors=[FieldError("/page_size", message, "range")])
        return int(text)

    def encode_cursor(self, cursor: Any) -> str:
        """Return the link with a cursor that also holds its seal, which DRF passes over."""
        link: str = super().encode_cursor(cursor)
        [text] = parse_qs(urlsplit(link).query)[self.cursor_query_param]
        place = b64decode(text).decode()
        sealed = b64encode(f"{place}&{SEAL}={self.seal.mark(place)}".encode()).decode()
        return str(replace_query_param(link, self.cursor_query_param, sealed))

    def decode_cursor(self, request: Request) -> Any:
        self.seal = seal_of(request)
        try:
            if text := request.query_params.get(self.cursor_query_param, ""):
                # DRF ignores characters that are not base64, and would return the first page.
                place, _between, mark = b64decode(text, validate=True).decode().rpartition(f"&{SEAL}=")
                if not self.seal.fits(mark, place):
                    raise ValueError
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self._check(str(cursor.position))
        except (exceptions.NotFound, ValidationError, ValueError, OverflowError):
            raise wrong_cursor("cursor") from None
        return cursor

    def _check(self, position: str) -> None:
        """Raise ValueError or ValidationError for a position that is no value of the first column."""
        field = self.model._meta.get_field(self.ordering[0].lstrip("-"))  # noqa: SLF001
        value = field.to_python(position) if isinstance(field, Field) else position
        if not is_comparable(value):
            raise ValueError
