"""Parsers and fields of API input: JSON bodies, choices, cities, unknown fields and parameters."""

from collections.abc import Collection
from typing import Any, NoReturn

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.fields import empty
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from alliance.cities import MOST_LETTERS, UnknownCity, resolve_city
from alliance.errors import FieldError, InvalidInput
from alliance.unknown_fields import pointer_step, unknown_fields

_SHOWN = 40


class BoundedJSONParser(JSONParser):
    """Refuses JSON nested deeper than the recursion limit as malformed, instead of status 500."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


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


def refuse_unknown_parameters(request: Request, *names: str) -> None:
    """Raise InvalidInput for unknown query parameters: with a misspelt one the result would be wrong."""
    message = str(_("Unknown parameter."))
    errors = [
        FieldError(f"/{pointer_step(name)}", message, "unknown")
        for name in request.query_params
        if name not in names
    ]
    if errors:
        raise InvalidInput(errors=errors)


def refuse_unknown_fields(body: object, names: Collection[str]) -> None:
    """Raise InvalidInput for unknown fields of a body. A body that is no object has none."""
    if isinstance(body, dict) and (errors := unknown_fields(body, names)):
        raise InvalidInput(errors=errors)
