"""Proposed changes and a courier's data, for people to read."""

from collections.abc import Iterable, Mapping
from typing import Any

from alliance.cities import full_name
from alliance.models import City
from alliance.wording import listed
from couriers.changes.models import ChangeRequest
from couriers.changes.rules import DOCUMENT, NAMES
from couriers.choices import ChangeState, DocumentKind


def shown(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return fields with their labels; cities by name, a document by its file with its id."""
    return [
        {"name": name, "label": NAMES[name], "value": _text(name, value), "document": _document(name, value)}
        for name, value in values.items()
    ]


def compared(request: ChangeRequest) -> list[dict[str, Any]]:
    """Return the old and the new value of each field of a proposal."""
    before = {row["name"]: row["value"] for row in shown(request.before)}
    return [{**row, "before": before.get(row["name"], "")} for row in shown(request.values)]


def waiting_documents(requests: Iterable[ChangeRequest]) -> dict[int, int]:
    """Return the documents that wait for ops: the new one's id by that of the one it is to replace."""
    return {
        request.before[DOCUMENT]["id"]: request.values[DOCUMENT]["id"]
        for request in requests
        if DOCUMENT in request.values and request.state == ChangeState.WAITING
    }


def _text(name: str, value: Any) -> str:
    if name == "cities":
        return _city_names(value)
    return f"{DocumentKind(value['kind']).label}: {value['name']}" if name == DOCUMENT else value


def _document(name: str, value: Any) -> int | None:
    return value["id"] if name == DOCUMENT else None


def city_lines(ids: list[int]) -> str:
    """Return cities one a line, as a form for them reads them."""
    return "\n".join(sorted(full_name(city) for city in City.objects.filter(pk__in=ids)))


def _city_names(ids: list[int]) -> str:
    return listed(sorted(city.name for city in City.objects.filter(pk__in=ids)))
