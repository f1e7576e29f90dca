"""Reading what programs send: JSON bodies, words out of a list, cities, and names that mean nothing to us."""

from collections.abc import Container, Iterable
from typing import Any, NoReturn

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.fields import empty
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from alliance.cities import MOST_LETTERS, UnknownCity, resolve_city
from alliance.errors import FieldError, InvalidInput

_SHOWN = 40


class BoundedJSONParser(JSONParser):
    """JSON that nests no deeper than the reader goes: deeper is malformed, not a fault of ours."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


class WordField(serializers.ChoiceField):
    """A word out of a list, for what programs send. Whoever sends another is told the list."""

    def fail(self, key: str, **options: Any) -> NoReturn:
        if key != "invalid_choice":
            super().fail(key, **options)
        message = _("“%(word)s” is not a valid choice. Choose from: %(words)s.") % {
            "word": str(options["input"])[:_SHOWN],
            "words": ", ".join(map(str, self.choices)),
        }
        raise serializers.ValidationError(message, code=key)


class CityField(serializers.CharField):
    """A city by its code or by whatever people call it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": MOST_LETTERS, **options})

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)
        try:
            return resolve_city(text) if text else text
        except UnknownCity as unknown:
            raise serializers.ValidationError(str(unknown), code=unknown.code) from None


def refuse_unknown_parameters(request: Request, *known: str) -> None:
    """Raise InvalidInput for query parameters we don't know: a typing error must not pass for an answer."""
    _refuse(request.query_params, known, _("Unknown parameter."))


def refuse_unknown_fields(body: object, known: Container[str]) -> None:
    """Raise InvalidInput for fields of a body that we don't know. Anything but an object has none."""
    if isinstance(body, dict):
        _refuse(map(str, body), known, _("Unknown field."))


def _refuse(names: Iterable[str], known: Container[str], message: str | Promise) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in unknown]
        raise InvalidInput(errors=[FieldError(pointer, str(message), "unknown") for pointer in pointers])
