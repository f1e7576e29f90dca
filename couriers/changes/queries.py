"""Proposed changes and a courier's data, for people to read."""

from collections.abc import Mapping
from typing import Any

from alliance.cities import full_name
from alliance.models import City
from alliance.wording import listed
from couriers.changes.models import ChangeRequest
from couriers.changes.rules import NAMES


def shown(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return fields with their labels; cities by name."""
    return [
        {"name": name, "label": NAMES[name], "value": _city_names(value) if name == "cities" else value}
        for name, value in values.items()
    ]


def compared(request: ChangeRequest) -> list[dict[str, Any]]:
    """Return the old and the new value of each field of a proposal."""
    before = {row["name"]: row["value"] for row in shown(request.before)}
    return [{**row, "before": before.get(row["name"], "")} for row in shown(request.values)]


def city_lines(ids: list[int]) -> str:
    """Return cities one a line, as a form for them reads them."""
    return "\n".join(sorted(full_name(city) for city in City.objects.filter(pk__in=ids)))


def _city_names(ids: list[int]) -> str:
    return listed(sorted(city.name for city in City.objects.filter(pk__in=ids)))
