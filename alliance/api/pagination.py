"""Cursor pagination: a page costs the same at any depth."""

from base64 import b64decode
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model
from django.utils.translation import gettext as _
from rest_framework import exceptions, pagination
from rest_framework.request import Request

from alliance.cursors import is_comparable
from alliance.errors import FieldError, InvalidInput


class CursorPagination(pagination.CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        self.model: type[Model] = queryset.model
        return super().paginate_queryset(queryset, request, view)

    def get_page_size(self, request: Request) -> int:
        """Return the requested size. An invalid one is refused instead of replaced by the default."""
        text = request.query_params.get("page_size", "")
        if not text:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= self.max_page_size):
            message = _("Enter a whole number from 1 to %(most)d.") % {"most": self.max_page_size}
            raise InvalidInput(errors=[FieldError("/page_size", message, "range")])
        return int(text)

    def decode_cursor(self, request: Request) -> Any:
        try:
            if text := request.query_params.get(self.cursor_query_param, ""):
                # DRF ignores characters that are not base64, and would return the first page.
                b64decode(text, validate=True)
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self._check(str(cursor.position))
        except (exceptions.NotFound, ValidationError, ValueError, OverflowError):
            message = _("Invalid cursor: use the one in `next` or `previous`.")
            raise InvalidInput(errors=[FieldError("/cursor", message, "invalid")]) from None
        return cursor

    def _check(self, position: str) -> None:
        """Raise ValueError or ValidationError for a position that is no value of the first column."""
        field = self.model._meta.get_field(self.ordering[0].lstrip("-"))  # noqa: SLF001
        value = field.to_python(position) if isinstance(field, Field) else position
        if not is_comparable(value):
            raise ValueError
