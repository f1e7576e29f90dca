"""Parsers and fields of API input: JSON bodies, choices, cities, unknown fields and parameters."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty
from rest_framework.parsers import JSONParser
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from alliance.api.errors import field_errors
from alliance.cities import MOST_LETTERS, UnknownCity, resolve_city
from alliance.errors import FieldError, InvalidInput, MalformedInput
from alliance.json_texts import decoded, malformed_json
from alliance.unknown_fields import unknown_fields, unknown_parameters

_SHOWN = 40
# The framework's own names types of Python.
_MESSAGES: Any = {"invalid": _("Send an object with the fields.")}


class BoundedJSONParser(JSONParser):
    """Says where a body is no JSON, and refuses what is nested deeper than the recursion limit."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read()
        try:
            return json.loads(
                decoded(body, encoding=(parser_context or {}).get("encoding") or "utf-8"),
                parse_constant=_refuse_constant,
            )
        except json.JSONDecodeError as error:
            raise malformed_json(error.doc[: error.pos], error.msg) from None
        except RecursionError:
            raise MalformedInput(str(_("The JSON is nested too deeply."))) from None


def _refuse_constant(name: str) -> NoReturn:
    # NaN and Infinity, which Python reads and JSON does not have.
    raise MalformedInput(_("%(name)s is no number in JSON.") % {"name": name})


class WordField(serializers.ChoiceField):
    """A choice whose error for any other value names all choices."""

    def fail(self, key: str, **options: Any) -> NoReturn:
        if key != "invalid_choice":
            super().fail(key, **options)
        message = _("“%(word)s” is not a valid choice. Choose from: %(words)s.") % {
            "word": str(options["input"])[:_SHOWN],
            "words": ", ".join(map(str, self.choices)),
        }
        raise serializers.ValidationError(message, code=key)


class CityField(serializers.CharField):
    """A city by its code or by any of its names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": MOST_LETTERS, **options})

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)
        try:
            return resolve_city(text) if text else text
        except UnknownCity as error:
            raise serializers.ValidationError(str(error), code=error.code) from None


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field[datetime, str, str, Any]):
    """A moment with its UTC offset: without one it could be anywhere's."""

    def to_internal_value(self, data: str) -> datetime:
        # In a URL, an unescaped plus arrives as a space.
        text = str(data).strip().replace(" ", "+") if "T" in str(data) else str(data)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            message = _("Enter the time as 2026-09-30T17:40:00+08:00.")
            raise serializers.ValidationError(message, code="invalid") from None
        offset = moment.utcoffset()
        if offset is None:
            raise serializers.ValidationError(_("Include the UTC offset."), code="naive")
        if offset % timedelta(minutes=1):
            # Neither RFC 3339 nor the database supports seconds in offsets.
            message = _("Write the UTC offset in hours and minutes, such as +08:00.")
            raise serializers.ValidationError(message, code="invalid")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class Body(serializers.Serializer[Any]):
    """The fields of a JSON body. Unknown ones are refused, together with what else is wrong."""

    default_error_messages = _MESSAGES

    def run_validation(self, data: Any = empty) -> Any:
        unknown = unknown_fields(data, self.fields) if isinstance(data, Mapping) else []
        try:
            values = super().run_validation(data)
        except serializers.ValidationError as error:
            if not unknown:
                raise
            raise InvalidInput(errors=[*unknown, *field_errors(error.detail)]) from None
        if unknown:
            raise InvalidInput(errors=unknown)
        return values


class BodyPart(serializers.Serializer[Any]):
    """An object inside a body. Its unknown fields are refused by their place in the whole."""

    default_error_messages = _MESSAGES

    def run_validation(self, data: Any = empty) -> Any:
        unknown = unknown_fields(data, self.fields) if isinstance(data, Mapping) else []
        refused = {error.field: [ErrorDetail(error.message, code=error.code)] for error in unknown}
        try:
            values = super().run_validation(data)
        except serializers.ValidationError as error:
            detail: Any = error.detail
            raise serializers.ValidationError({**refused, **detail} if refused else detail) from None
        if refused:
            raise serializers.ValidationError(refused)
        return values


class WritesWithoutParameters(BasePermission):
    """Refuses query parameters of writes, which have none: `?dry_run=1` would book for real."""

    def has_permission(self, request: Request, view: Any) -> bool:
        # A method that the address does not take is refused as such.
        if request.method not in SAFE_METHODS and request.method in view.allowed_methods:
            refuse_unknown_parameters(request)
        return True


def refuse_unknown_parameters(request: Request, *names: str) -> None:
    """Raise InvalidInput for unknown query parameters: with a misspelt one the result would be wrong."""
    if errors := unknown_parameters(request.query_params, names):
        raise InvalidInput(errors=errors)


def refuse_unknown_fields(body: object, names: Collection[str]) -> None:
    """Raise InvalidInput for unknown fields of a body. A body that is no object has none."""
    if isinstance(body, dict) and (errors := unknown_fields(body, names)):
        raise InvalidInput(errors=errors)


def refuse_body(body: object) -> None:
    """Raise InvalidInput for the body of a call that takes none. An empty object is none."""
    refuse_unknown_fields(body, ())
    if body and not isinstance(body, dict):
        raise InvalidInput(errors=[FieldError("", str(_("Send no body, or an empty object.")), "invalid")])
