"""Fields that are written in one form throughout the API: money and months."""

from typing import Any, Final

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

MONEY: Final = r"^-?[0-9]+\.[0-9]{2}$"
# What is read: decimals may be left out.
MONEY_READ: Final = r"^[0-9]+(\.[0-9]{1,2})?$"
SIGNED_MONEY_READ: Final = r"^-?[0-9]+(\.[0-9]{1,2})?$"
MONTH: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])$"


class MoneyField(serializers.CharField):
    """An amount as a decimal text, such as 12.50, of the currency beside it."""

    # Whether an amount below zero is read.
    is_signed = False


class MonthField(serializers.CharField):
    """A month, such as 2026-11."""


class _MoneySchema(OpenApiSerializerFieldExtension):
    target_class = "alliance.api.fields.MoneyField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        read = SIGNED_MONEY_READ if self.target.is_signed else MONEY_READ
        return {"type": "string", "pattern": read if direction == "request" else MONEY}


class _MonthSchema(OpenApiSerializerFieldExtension):
    target_class = "alliance.api.fields.MonthField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "pattern": MONTH}
