"""One vocabulary: a name in the API means one thing, of one type, and each is in a closed list."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from alliance.api.fields import MONEY, MONEY_READ, MONTH, SIGNED_MONEY_READ
from alliance.api.public_ids import party_pattern
from alliance.public_ids import IdKind, pattern
from parcels.booking_files.columns import COLUMNS as BOOKINGS_READ
from parcels.booking_files.services.results import COLUMNS as BOOKING_RESULTS
from parcels.freight.files import COLUMNS as FREIGHT
from parcels.manifests.files import COLUMNS as MANIFEST
from parcels.portal.parcels_csv import COLUMNS as PARCELS
from parcels.webhooks.rules import CODE_PATTERN, MESSAGE_PATTERN
from parcels.webhooks.topics import TOPICS
from slas.exports.columns import COLUMNS as EXPORTS
from slas.exports.columns import Kind
from slas.portal.statement_files import COLUMNS as STATEMENT
from tests import vocabulary

SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
_CLOCK = "^[0-2][0-9]:[0-5][0-9]$"
_PATTERNS = {
    MONEY: "money",
    MONEY_READ: "money",
    SIGNED_MONEY_READ: "money",
    MONTH: "month",
    _CLOCK: "clock time",
}
_PATTERNS |= {pattern(kind): "id" for kind in IdKind}
_PATTERNS |= {text: "id" for text in (CODE_PATTERN, MESSAGE_PATTERN)}
_PATTERNS |= {text.strip("^$"): "id" for text in (CODE_PATTERN, MESSAGE_PATTERN)}
# In addresses.
_PATTERNS |= {pattern(kind).strip("^$"): "id" for kind in IdKind}
_PATTERNS[party_pattern(IdKind.COURIER, IdKind.MERCHANT)] = "id"
_FORMATS = {"date-time": "moment", "date": "day", "uri": "address", "binary": "file", "decimal": "decimal"}
HOW = "tests/vocabulary.py has the words of the API. Use one that is there, or add yours under its kind."


def kind_of(schema: dict[str, Any]) -> str:
    """The kind of a value, whether or not it may be null."""
    if "$ref" in schema:
        return kind_of(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    parts = [part for name in ("allOf", "oneOf", "anyOf") for part in schema.get(name, ())]
    kinds = {kind_of(part) for part in parts} - {"null"}
    if kinds:
        return " or ".join(sorted(kinds))
    types = schema.get("type", "anything")
    [type_] = ({types} if isinstance(types, str) else set(types) - {"null"}) or {"null"}
    if type_ == "array":
        return f"list of {kind_of(schema['items'])}"
    if type_ == "string" and "pattern" in schema:
        return _PATTERNS.get(schema["pattern"], "text like " + schema["pattern"])
    if schema.get("enum") == [None]:
        return "null"
    kinds_of_types = {"string": "text", "integer": "whole number", "number": "number", "boolean": "flag"}
    return _FORMATS.get(schema.get("format", ""), "") or kinds_of_types.get(type_, type_)


def properties(schema: Any, where: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each property below a schema: where it is, its name and its own schema."""
    if not isinstance(schema, dict):
        return
    for name, inner in schema.get("properties", {}).items():
        yield f"{where}.{name}", name, inner
        yield from properties(inner, f"{where}.{name}")
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        yield from properties(inner, where)
    for many in ("allOf", "oneOf", "anyOf"):
        for inner in schema.get(many, ()):
            yield from properties(inner, where)


def said() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every property of every object, request and answer."""
    for name, schema in SCHEMA["components"]["schemas"].items():
        yield from properties(schema, name)
    for operation in _operations():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for content in body.get("content", {}).values():
                yield from properties(content["schema"], operation["operationId"])


def parameters() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for operation in _operations():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "header":
                yield operation["operationId"], parameter["name"], parameter["schema"]


def _operations() -> Iterator[dict[str, Any]]:
    for methods in SCHEMA["paths"].values():
        yield from methods.values()


def stranger(where: str, name: str, kind: str, known: dict[str, set[str]]) -> str | None:
    """What is wrong with a name, as a sentence that says what to do."""
    if name not in known:
        return f"{where}: “{name}” is a stranger. {HOW}"
    if kind not in known[name]:
        kinds = " or ".join(sorted(known[name]))
        return f"{where}: “{name}” is {kind}, elsewhere {kinds}. Give one of the two another name. {HOW}"
    return None


def told(found: Iterator[str | None]) -> list[str]:
    return sorted({sentence for sentence in found if sentence})


def test_no_property_is_a_stranger() -> None:
    assert (
        told(stranger(where, name, kind_of(schema), vocabulary.WORDS) for where, name, schema in said()) == []
    )


def test_no_parameter_is_a_stranger() -> None:
    known = {**vocabulary.WORDS, **vocabulary.PARAMETERS}
    # A filter may take several of what a property has one of.
    lists = {name: kinds | {f"list of {kind}" for kind in kinds} for name, kinds in known.items()}
    assert told(stranger(where, name, kind_of(schema), lists) for where, name, schema in parameters()) == []


@pytest.mark.parametrize(
    "columns",
    [PARCELS, MANIFEST, STATEMENT, FREIGHT, BOOKINGS_READ, BOOKING_RESULTS],
    ids=["parcels", "manifest", "statement", "freight", "bookings", "results"],
)
def test_no_column_of_a_file_is_a_stranger(columns: Any) -> None:
    known = vocabulary.WORDS.keys() | vocabulary.COLUMNS
    assert [f"“{name}” is a stranger. {HOW}" for name in columns if name not in known] == []


def test_columns_of_exports_are_of_the_kind_of_their_namesakes() -> None:
    kinds = {
        Kind.TEXT: "text", Kind.CODE: "text", Kind.WHOLE: "whole number", Kind.MONEY: "money",
        Kind.SHARE: "number", Kind.MOMENT: "moment", Kind.DAY: "day", Kind.FLAG: "flag",
    }  # fmt: skip
    known = {**dict.fromkeys(vocabulary.COLUMNS, {*kinds.values()}), **vocabulary.WORDS}
    # A file has texts where JSON has ids.
    known = {name: known | {"text"} if "id" in known else known for name, known in known.items()}
    columns = [
        (content, column.name, kinds[column.kind]) for content in EXPORTS for column in EXPORTS[content]
    ]
    assert told(stranger(*column, known) for column in columns) == []


def test_the_list_has_no_word_that_is_not_used() -> None:
    used = {name for _where, name, _schema in said()}
    assert sorted(vocabulary.WORDS.keys() - used) == []
    asked = {name for _where, name, _schema in parameters()}
    assert sorted(vocabulary.PARAMETERS.keys() - asked) == []


def test_events_of_webhooks_have_the_words_of_the_api() -> None:
    def words(value: Any) -> Iterator[str]:
        for name, inner in value.items() if isinstance(value, dict) else ():
            yield name
            yield from words(inner)

    said_there = {name for topic in TOPICS.values() for name in words(dict(topic.example))}
    assert sorted(said_there - vocabulary.WORDS.keys() - vocabulary.OF_EVENTS) == [], HOW


def test_the_page_of_webhooks_has_every_event() -> None:
    text = (settings.BASE_DIR / "docs" / "webhooks.md").read_text()
    for name, topic in TOPICS.items():
        row = f"| `{name}` | {topic.about} | `{json.dumps(topic.example, ensure_ascii=False)}` |"
        assert row in text, name


# --- forms ---


def named(kind: str) -> set[str]:
    """The names of a kind, and of lists of it."""
    return {name for name, kinds in vocabulary.WORDS.items() if {kind, f"list of {kind}"} & kinds}


def test_moments_say_so_by_their_names() -> None:
    odd = {name for name in named("moment") if not name.endswith(("_at", "_by"))}
    assert odd == vocabulary.OTHER_MOMENTS


def test_no_number_is_an_id() -> None:
    for where, name, schema in [*said(), *parameters()]:
        if name == "id" or name.endswith("_id"):
            # What a courier calls its own event is its business.
            assert kind_of(schema) == "id" or name in {"event_id", "request_id"}, f"{where}: {HOW}"


def test_money_has_its_currency_beside_or_around_it() -> None:
    """An object with money has `currency`, or every object that holds it has."""
    schemas = SCHEMA["components"]["schemas"]
    answers = {name: schema for name, schema in schemas.items() if not name.endswith("Request")}
    without = {
        name
        for name, schema in answers.items()
        if "currency" not in schema.get("properties", {})
        and any(kind_of(inner) == "money" for inner in schema.get("properties", {}).values())
    }
    holders = {
        inner: {name for name, schema in answers.items() if f"/{inner}'" in str(schema)} for inner in without
    }
    bare = {
        inner
        for inner, outer in holders.items()
        if not outer or any("currency" not in schemas[name].get("properties", {}) for name in outer)
    }
    assert bare == set(), "Put `currency` beside the amounts."


def test_durations_are_in_seconds_and_weights_in_grams() -> None:
    wrong = re.compile(r"_(minutes|hours|ms|kg|fen|cny|yuan)$")
    assert [name for name in vocabulary.WORDS if wrong.search(name)] == []
    for name, kinds in vocabulary.WORDS.items():
        if name.endswith(("_seconds", "_g", "_bytes", "_count", "_percent")):
            assert kinds == {"whole number"}, name
        if name.endswith("_rate"):
            assert kinds == {"number"}, name


def test_the_page_of_changes_is_served_and_linked(client: Client, db: None) -> None:
    page = client.get("/api/changes/")
    assert page.status_code == 200
    assert [kind for kind in IdKind if f"`{kind.value}_" not in page.content.decode()] == []
    assert SCHEMA["externalDocs"]["url"].endswith("/api/changes/")


def test_a_stranger_is_told_with_what_to_do() -> None:
    known = {"courier": {"id"}}
    assert stranger("Parcel.carrier", "carrier", "id", known) == (
        f"Parcel.carrier: “carrier” is a stranger. {HOW}"
    )
    wrong = stranger("Parcel.courier", "courier", "whole number", known)
    assert wrong is not None
    assert "is whole number, elsewhere id. Give one of the two another name." in wrong
