"""Ids in addresses, bodies and answers of the API: see alliance/public_ids.py."""

from typing import Any

from django.urls import register_converter
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from alliance.public_ids import PATTERN, IdKind, InvalidPublicId, pattern, public_id, row_id


class PublicIdField(serializers.Field[int, str, str, Any]):
    """An id of one kind: text outside, the row's number inside."""

    def __init__(self, kind: IdKind, **options: Any) -> None:
        self.kind = kind
        super().__init__(**options)

    def to_representation(self, value: int) -> str:
        return public_id(self.kind, value)

    def to_internal_value(self, data: object) -> int:
        try:
            return row_id(self.kind, data if isinstance(data, str) else "")
        except InvalidPublicId:
            message = _("Send an id such as %(example)s.") % {"example": public_id(self.kind, 1)}
            raise serializers.ValidationError(message, code="unknown") from None


class _PublicIdSchema(OpenApiSerializerFieldExtension):
    target_class = "alliance.api.public_ids.PublicIdField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": pattern(self.target.kind)}


class PartyField(serializers.CharField):
    """The id of a courier or a merchant, as text: services look it up."""

    def __init__(self, *kinds: IdKind, **options: Any) -> None:
        self.kinds = kinds
        super().__init__(**options)


class _PartySchema(OpenApiSerializerFieldExtension):
    target_class = "alliance.api.public_ids.PartyField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": party_pattern(*self.target.kinds)}


def party_pattern(*kinds: IdKind) -> str:
    prefixes = "|".join(kind.value for kind in kinds)
    return f"^({prefixes})_{PATTERN}$" if len(kinds) > 1 else f"^{prefixes}_{PATTERN}$"


def _converter(kind: IdKind) -> type:
    class Converter:
        regex = f"{kind.value}_{PATTERN}"

        def to_python(self, value: str) -> int:
            return row_id(kind, value)

        def to_url(self, value: int | str) -> str:
            # A row's number, or the id as an answer tells it.
            text = str(value)
            return public_id(kind, int(text)) if text.isdecimal() else text

    return Converter


# In routes: <exp:export_id>.
for _kind in IdKind:
    register_converter(_converter(_kind), _kind.value)
