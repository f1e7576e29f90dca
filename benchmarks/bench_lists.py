"""A merchant's list of a million parcels: its first page, its ten-thousandth, and search by reference.

A program reaches page 10,000 by following `next`; a person by `Next`, or by dates. Here the cursor is made
from the first id of the page, by one query. Before measuring, this checks that `next` of the first page has
the same form, and that the page has the expected parcels.
"""

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from alliance.identifiers import tracking_number
from benchmarks import members
from benchmarks.clients import Caller, LoadResult, get, run_parallel, send_calls, sum_of
from benchmarks.rows import Goal, Row
from benchmarks.watching import Usage
from benchmarks.world import Member, World

ONLY_READS = True
PAGE, PAGES = 100, 10_000
# Parcels on a page of the portal.
SHOWN = 50
CALLS, ROUNDS, SECONDS, CLIENTS = 60, 3, 2.0, 2
_AT = "SELECT id FROM parcels_parcel WHERE merchant_id = %s ORDER BY id DESC OFFSET %s LIMIT %s"
_REFERENCES = """
SELECT reference FROM parcels_parcel TABLESAMPLE BERNOULLI (0.5)
WHERE merchant_id = %s AND reference LIKE 'SO-%%' LIMIT %s
"""


def run(world: World) -> Iterator[Row]:
    """Measure lists of the API and of the portal, then searches."""
    merchant = world.merchants[0]
    [(has,)] = world.rows(
        "SELECT count(*) FROM parcels_parcel WHERE merchant_id = %s", [merchant.organisation_id]
    )
    page = min(PAGES, has // PAGE)
    session = {"Cookie": members.session_of(merchant)}
    key = {"Authorization": f"Bearer {merchant.token}"}
    api, first, deep = _api_pages(world, merchant, page)
    yield _compare(world, f"merchant's list by API, page {page:,}", key, has, first, deep)
    behind = _ids(world, merchant, (page - 1) * SHOWN - 1, 1)[0]
    pages = (["/parcels/"], [f"/parcels/?before={tracking_number(behind)}"])
    yield _compare(world, f"merchant's list on the portal, page {page:,}", session, has, *pages)
    references = [row[0] for row in world.rows(_REFERENCES, [merchant.organisation_id, CALLS])]
    searches = [f"{api}?search={quote(reference)}" for reference in references]
    yield _search(world, key, has, searches)


def _api_pages(world: World, merchant: Member, page: int) -> tuple[str, list[str], list[str]]:
    """Return the list's URL, its first page and the deep one, after checking both."""
    api = "/api/v1/parcels"
    caller, first = Caller(world.port), f"{api}?page_size={PAGE}"
    response = _read(caller, first, merchant)
    offsets = (PAGE, (page - 1) * PAGE)
    ends = [_ids(world, merchant, offset - 1, 1)[0] for offset in offsets]
    cursors = [base64.b64encode(f"p={end}".encode()).decode() for end in ends]
    if parse_qs(urlsplit(response["next"]).query)["cursor"] != [cursors[0]]:
        raise RuntimeError(f"`next` is not what this benchmark takes it for: {response['next']}")
    deep = f"{first}&cursor={quote(cursors[1])}"
    numbers = [item["tracking_number"] for item in _read(caller, deep, merchant)["results"]]
    if numbers != [tracking_number(pk) for pk in _ids(world, merchant, offsets[1], PAGE)]:
        raise RuntimeError(f"page {page} does not show what it should")
    return api, [first], [deep]


def _read(caller: Caller, path: str, merchant: Member) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(caller.must(get(path, Authorization=f"Bearer {merchant.token}")))
    return result


def _ids(world: World, merchant: Member, offset: int, count: int) -> list[int]:
    return [pk for (pk,) in world.rows(_AT, [merchant.organisation_id, offset, count])]


def _compare(
    world: World, name: str, headers: dict[str, str], has: int, first: list[str], deep: list[str]
) -> Row:
    results, floor, usage = [], [], Usage()
    for _round in range(ROUNDS):
        with world.watch.usage() as round_usage:
            results.append(_request_all(world, headers, deep))
        usage.add(round_usage)
        with world.watch.usage():
            floor.append(_request_all(world, headers, first))
    later, newest = sum_of(results), sum_of(floor)
    return Row(
        name,
        later.milliseconds(0.5),
        newest.milliseconds(0.5),
        "page 1",
        Goal(ratio_most=1.5),
        {"of parcels": f"{has:,}", **later.latencies, "p99 of page 1": newest.latencies["p99"]},
        unit="ms",
        memory=usage.memory,
        cost=usage.cost(later.items),
    )


def _search(world: World, headers: dict[str, str], has: int, searches: list[str]) -> Row:
    with world.watch.usage() as usage:
        result = _request_all(world, headers, searches)
    notes = {"of parcels": f"{has:,}", **result.latencies}
    name, cost = f"search by reference, {CLIENTS} clients", usage.cost(result.items)
    return Row(name, result.rate, notes=notes, memory=usage.memory, cost=cost)


def _request_all(world: World, headers: dict[str, str], paths: Sequence[str]) -> LoadResult:
    return run_parallel(_one_by_one, [(world.port, headers, paths)] * CLIENTS)


# --- in client processes ---------------------------------------------------------------------


def _one_by_one(
    ready: Callable[[], Any], port: int, headers: dict[str, str], paths: Sequence[str]
) -> LoadResult:
    calls = [get(path, **headers) for path in paths]
    caller = Caller(port)
    caller.must(calls[0])
    ready()
    return send_calls(itertools.islice(itertools.cycle(calls), CALLS), caller, seconds=SECONDS)
