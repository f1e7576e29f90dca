"""A merchant's list of a million parcels: its first page, its ten-thousandth, and search by reference.

A program reaches page 10,000 by following `next`; a person by `Next`, or by dates. Here the cursor is made
from the first id of the page, by one query. Before measuring, this checks that `next` of the first page has
the same form, and that the page has the expected parcels.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from alliance.api.pagination import SEAL
from alliance.cursor_seals import Seal
from alliance.identifiers import tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from benchmarks import members
from benchmarks.clients import Caller, get, keep_calling
from benchmarks.rows import Goal, Row
from benchmarks.turns import in_turns, rate_row, time_row
from benchmarks.world import Member, World
from parcels.portal.parcel_list import LIST

ONLY_READS = True
# Parcels on a page, of the portal and as asked of the API.
PAGE, PAGES = 50, 10_000
CALLS, ROUNDS, SECONDS, CLIENTS = 60, 8, 0.5, 2
API, PORTAL = "merchant's list by API", "merchant's list on the portal"
SEARCH = "search by reference"
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
    with scope(Scope.everything()):
        organisation = Organisation.objects.get(pk=merchant.organisation_id)
    actor = actor_of_organisation(organisation, kind="user", label="bench")
    session = {"Cookie": members.session_of(merchant)}
    key = {"Authorization": f"Bearer {merchant.token}"}
    api, first, deep = _api_pages(world, merchant, actor, page)
    portal, deep_portal = _portal_pages(world, actor, session["Cookie"], page)
    references = [row[0] for row in world.rows(_REFERENCES, [merchant.organisation_id, CALLS])]
    calls = {
        API: [get(first, **key)],
        f"{API}, page {page:,}": [get(deep, **key)],
        SEARCH: [get(f"{api}?search={quote(reference)}", **key) for reference in references],
        PORTAL: [get(portal, **session)],
        f"{PORTAL}, page {page:,}": [get(deep_portal, **session)],
    }
    sides = in_turns(
        world.watch,
        {
            name: lambda some=some: keep_calling(world.port, [some] * CLIENTS, seconds=SECONDS)
            for name, some in calls.items()
        },
        rounds=ROUNDS,
    )
    for first_page in (API, PORTAL):
        name = f"{first_page}, page {page:,}"
        deep_page = sides[name]
        yield time_row(
            name,
            deep_page.slowest(0.5),
            sides[first_page].slowest(0.5),
            "page 1",
            Goal(ratio_most=1.5),
            notes={"of parcels": f"{has:,}", **deep_page.total.latencies},
            memory=deep_page.usage.memory,
            cost=deep_page.cost,
        )
    yield rate_row(f"{SEARCH}, {CLIENTS} clients", sides[SEARCH], sides[API], "page 1 of the list")


def _api_pages(world: World, merchant: Member, actor: Actor, page: int) -> tuple[str, str, str]:
    """Return the list's URL, its first page and the deep one, after checking both."""
    api = "/api/v1/parcels"
    caller, first = Caller(world.port), f"{api}?page_size={PAGE}"
    response = _read(caller, first, merchant)
    ends = [_ids(world, merchant.organisation_id, offset - 1, 1)[0] for offset in (PAGE, (page - 1) * PAGE)]
    cursors = [_cursor(actor, api, end) for end in ends]
    if parse_qs(urlsplit(response["next"]).query)["cursor"] != [cursors[0]]:
        raise RuntimeError(f"`next` is not what this benchmark takes it for: {response['next']}")
    deep = f"{first}&cursor={quote(cursors[1])}"
    numbers = [item["tracking_number"] for item in _read(caller, deep, merchant)["results"]]
    if numbers != [
        tracking_number(pk) for pk in _ids(world, merchant.organisation_id, (page - 1) * PAGE, PAGE)
    ]:
        raise RuntimeError(f"page {page} does not show what it should")
    return api, first, deep


def _cursor(actor: Actor, api: str, end: int) -> str:
    """Return the cursor of the parcels after one, sealed for this list and merchant."""
    place = f"p={end}"
    return base64.b64encode(f"{place}&{SEAL}={Seal.of(actor, api, {}).mark(place)}".encode()).decode()


def _portal_pages(world: World, actor: Actor, cookie: str, page: int) -> list[str]:
    """Return the paths of the first page and of the deep one, after checking how the first goes on."""
    seal = Seal.of(actor, LIST.name, {}, LIST.default)
    places = [
        tracking_number(_ids(world, actor.organisation_id, last * PAGE - 1, 1)[0]) for last in (1, page - 1)
    ]
    first, deep = (f"/parcels/?{urlencode({'after': seal.close(place)})}" for place in places)
    if first.partition("?")[2] not in Caller(world.port).must(get("/parcels/", Cookie=cookie)).decode():
        raise RuntimeError("the portal's second page is not what this benchmark takes it for")
    return ["/parcels/", deep]


def _read(caller: Caller, path: str, merchant: Member) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(caller.must(get(path, Authorization=f"Bearer {merchant.token}")))
    return result


def _ids(world: World, merchant_id: int | None, offset: int, count: int) -> list[int]:
    return [pk for (pk,) in world.rows(_AT, [merchant_id, offset, count])]
