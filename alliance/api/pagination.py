"""Cursor pages: a next page costs the same however deep it lies."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, pagination
from rest_framework.request import Request

from alliance.errors import FieldError, InvalidInput


class CursorPagination(pagination.CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-id"

    def decode_cursor(self, request: Request) -> Any:
        try:
            return super().decode_cursor(request)
        except exceptions.NotFound:
            message = _("This is not a cursor of ours: take it from `next` or `previous`.")
            raise InvalidInput(errors=[FieldError("/cursor", message, "invalid")]) from None
