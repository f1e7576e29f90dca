"""The hosts of a database, of which one at a time may be written to.

libpq tries them in the order that it is given, and waits for each: so the one that served last comes first,
and those that say nothing come last.
"""

from collections.abc import Collection
from typing import Any

# Host and port, as connections and parameters have them.
Place = tuple[str, str]
DEFAULT_PORT = "5432"
# The place that served last.
_preferred: dict[str, Place] = {}


def places_of(params: dict[str, Any]) -> list[Place]:
    """Return the places that parameters of a connection name."""
    hosts = str(params.get("host", "")).split(",")
    ports = str(params.get("port", "")).split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    return [(host, port or DEFAULT_PORT) for host, port in zip(hosts, ports, strict=True)]


def at(params: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return the same parameters for one of several places, whatever it may be: it is asked itself."""
    return {**params, "host": place[0], "port": place[1], "target_session_attrs": "any"}


def each_of(params: dict[str, Any]) -> dict[Place, dict[str, Any]]:
    """Return the parameters of each place; where there is one only, they are left as they are."""
    places = places_of(params)
    return {place: at(params, place) for place in places} if len(places) > 1 else {places[0]: params}


def prefer(params: dict[str, Any], place: Place) -> None:
    """Note that this place could be written to a moment ago."""
    _preferred[_key(params)] = place


def in_order(params: dict[str, Any], *, silent: Collection[Place]) -> list[Place]:
    """Return the places in the order to try them in."""
    preferred = _preferred.get(_key(params))
    return sorted(places_of(params), key=lambda place: (place in silent, place != preferred))


def _key(params: dict[str, Any]) -> str:
    return f"{params.get('host', '')} {params.get('port', '')}"
