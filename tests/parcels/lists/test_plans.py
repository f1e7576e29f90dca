"""Query plans of the parcel list: each statement as issued, under row-level security.

Tens of thousands of parcels are there, for the planner to have something to choose by.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alliance.identifiers import is_allowed, moment_of
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.lists.filters import ParcelFilter
from parcels.lists.pages import page_of
from parcels.models import Parcel
from tests import factories
from tests.helpers.owner import execute_as_owner
from tests.parcels.helpers.parcel_views import some_parcels

pytestmark = pytest.mark.django_db
SIZE, LOOKED_AT = 20, 500
ONE_SERVER = pytest.mark.one_server("a plan; on a cluster each shard plans for itself")
# Ten parcels repeated, a millisecond earlier each time; one in thirty-one belongs to the two organisations.
CROWD = """
    INSERT INTO parcels_parcel (id, merchant_id, courier_id, reference, status, {columns})
    SELECT id - g * (1::bigint << 22),
        CASE g %% 31 WHEN 0 THEN merchant_id ELSE (%s::bigint[])[1 + g %% 5] END,
        CASE g %% 31 WHEN 0 THEN courier_id ELSE %s END,
        'PO-' || g, CASE WHEN g %% 1000 = 0 THEN 'lost' ELSE 'delivered' END, {columns}
    FROM parcels_parcel CROSS JOIN generate_series(1, 5000) AS g
"""


@pytest.fixture
def middle(
    merchant_organisation: Organisation, courier_organisation: Organisation, rival_courier: Organisation
) -> int:
    """Over a thousand own parcels among thirty times as many others; returns an id in the middle."""
    some_parcels(merchant_organisation, courier_organisation, count=10, reference="A-1")
    others = [factories.merchant_organisation(f"Merchant {number}").pk for number in range(5)]
    own = {"id", "merchant_id", "courier_id", "reference", "status"}
    columns = ", ".join(f.column for f in Parcel._meta.concrete_fields if f.column not in own)
    with scope(Scope.everything()), connection.cursor() as cursor:
        cursor.execute(CROWD.format(columns=columns), [others, rival_courier.pk])
        mine = Parcel.objects.filter(merchant_id=merchant_organisation.pk)
        # One id in eight has no tracking number.
        mine.filter(pk__in=[pk for pk in mine.values_list("pk", flat=True) if not is_allowed(pk)]).delete()
        execute_as_owner("ANALYZE parcels_parcel")
        return int(mine.order_by("-pk")[700].pk)


@pytest.fixture(autouse=True)
def _look_at_few(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lists.filters", "lists.pages"):
        monkeypatch.setattr(f"parcels.{module}.LOOKED_AT", LOOKED_AT)


class Read(NamedTuple):
    """The plan of a statement that selects parcels."""

    indexes: set[str]
    kinds: set[str]
    # Rows of parcels that were fetched, including discarded ones.
    looked_at: int
    text: str


def reads_of(actor: Actor, query: dict[str, str], **place: Any) -> list[Read]:
    """Read a page as the list does, then explain each of its statements in the same order."""
    mine = Parcel.objects.visible_to(actor)
    filters = ParcelFilter(QueryDict(urlencode(query)), queryset=mine, all_organisations=actor.is_ops)
    with scope(Scope.of(actor)):
        with CaptureQueriesContext(connection) as queries:
            assert filters.form.is_valid()
            page_of(filters, size=SIZE, **place)
        return list(_explained([query["sql"] for query in queries]))


def _explained(statements: list[str]) -> Iterator[Read]:
    for sql in statements:
        escaped = sql.replace("%", "%%")
        if sql.startswith("SELECT") and 'FROM "parcels_parcel"' in sql and " JOIN " not in sql:
            [[plan]] = raw_rows("EXPLAIN (ANALYZE, FORMAT JSON) " + escaped)
            nodes = list(_nodes(plan[0]["Plan"]))
            yield Read(
                indexes={re.sub(r"_y\d{4}m\d\d", "", n["Index Name"]) for n in nodes if "Index Name" in n},
                kinds={n["Node Type"] for n in nodes if "Relation Name" not in n or _rows(n)},
                looked_at=sum(
                    _rows(n) for n in nodes if n.get("Relation Name", "").startswith("parcels_parcel")
                ),
                text=json.dumps(plan),
            )
        elif sql.startswith("SET LOCAL"):
            raw_rows(escaped)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _rows(node: dict[str, Any]) -> int:
    return round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])


MERCHANTS, COURIERS = "parcels_parcel_merchant_id_id_idx", "parcels_parcel_courier_id_id_idx"
FILTERS: list[dict[str, str]] = [
    {},
    {"status": "delivered"},
    {"status": "lost"},
    {"late": "true"},
    {"late": "overdue"},
    {"late": "delivered"},
    {"late": "false"},
    {"due": "today"},
    {"tier": "next_day"},
    {"tier": "same_day"},
    {"origin": "CN-HGH"},
    {"destination": "CN-HGH"},
    {"search": "PO-"},
    {"search": "PO-", "status": "lost", "tier": "same_day"},
]


def places_around(middle: int) -> list[dict[str, Any]]:
    places = [{}, {"older_than": middle}, {"newer_than": middle}, {"is_last": True}]
    return [*places, *({**place, "ascending": True} for place in places)]


@ONE_SERVER
@pytest.mark.parametrize("who", ["merchant", "courier"])
def test_every_filter_and_depth_reads_a_limited_number_of_rows(
    who: str, middle: int, request: pytest.FixtureRequest
) -> None:
    actor: Actor = request.getfixturevalue(who)
    index = {"merchant": MERCHANTS, "courier": COURIERS}[who]
    for query in FILTERS:
        for place in places_around(middle):
            for read in reads_of(actor, query, **place):
                message = f"{query} {place}: {read.text}"
                assert not read.kinds & {"Sort", "Seq Scan", "Bitmap Heap Scan"}, message
                # The first statements check how references are written, and whether the search leaves few.
                assert read.indexes & {index, index.replace("_id_id_", "_id_reference_")}, message
                # Our ids are adjacent here, so all of them count.
                assert read.looked_at <= LOOKED_AT + SIZE + 1, message


@ONE_SERVER
def test_every_page_examines_the_same_number_of_rows(middle: int, merchant: Actor) -> None:
    reads = [read for place in places_around(middle) for read in reads_of(merchant, {}, **place)]
    assert [read.looked_at for read in reads] == [SIZE + 1] * 8


@ONE_SERVER
@pytest.mark.parametrize("who", ["merchant", "courier"])
def test_search_reads_no_parcels_of_other_merchants_with_the_same_prefix(
    who: str, middle: int, request: pytest.FixtureRequest
) -> None:
    actor: Actor = request.getfixturevalue(who)
    with scope(Scope.everything()):
        Parcel.objects.filter(**{f"{who}_id": actor.organisation_id}).exclude(pk=middle).update(reference="A")
        Parcel.objects.filter(pk=middle).update(reference="PO-9")
    own = "parcels_parcel_" + who + "_id_"
    *spellings, search, page = reads_of(actor, {"search": "PO-"})
    assert all(read.indexes == {own + "reference_idx"} and read.looked_at <= 1 for read in spellings)
    assert (search.indexes, search.looked_at) == ({own + "reference_idx"}, 1), search.text
    assert page.indexes <= {"parcels_parcel_pkey", own + "id_idx"}, page.text
    assert page.looked_at == 1


@ONE_SERVER
def test_ops_search_uses_the_index_of_every_courier(middle: int) -> None:
    with scope(Scope.everything()):
        parcel_ids = Parcel.objects.referenced("PO-4999").under_every_courier().values_list("pk", flat=True)
        with CaptureQueriesContext(connection) as queries:
            count = len(parcel_ids[:20])
        [read] = _explained([query["sql"] for query in queries])
    assert read.indexes == {"parcels_parcel_courier_id_reference_idx"}
    assert read.looked_at == count > 5


@ONE_SERVER
def test_ops_search_is_unordered_and_stops_at_the_limit(middle: int, system: Actor) -> None:
    ops = replace(system, kind="user", is_ops=True)
    *spellings, few, page = reads_of(ops, {"search": "PO-4999"})
    assert all(not read.kinds & {"Sort", "Seq Scan"} and read.looked_at <= 1 for read in spellings)
    assert few.indexes == {"parcels_parcel_courier_id_reference_idx"}, few.text
    assert not few.kinds & {"Sort", "Seq Scan", "Bitmap Heap Scan"}, few.text
    assert few.looked_at == page.looked_at < LOOKED_AT
    reads = reads_of(ops, {"search": "PO-"})
    many, *pages = reads[next(place for place, read in enumerate(reads) if read.looked_at > LOOKED_AT) :]
    assert not many.kinds & {"Sort", "Seq Scan", "Bitmap Heap Scan"}, many.text
    assert LOOKED_AT < many.looked_at <= LOOKED_AT + SIZE, many.text
    # So the matches are found while scanning the list.
    for read in pages:
        assert not read.kinds & {"Sort", "Seq Scan"}, read.text
        assert read.looked_at <= LOOKED_AT + SIZE + 1, read.text


@ONE_SERVER
def test_number_search_uses_the_primary_key(middle: int, merchant: Actor) -> None:
    [read] = reads_of(merchant, {"search": Parcel(id=middle).number})
    assert read.indexes <= {"parcels_parcel_pkey", MERCHANTS}
    assert read.looked_at == 1


@ONE_SERVER
def test_day_filters_skip_other_months(middle: int, merchant: Actor) -> None:
    day = timezone.localtime(moment_of(middle)).date().isoformat()
    [read] = reads_of(merchant, {"booked_from": day, "booked_to": day})
    assert len(set(re.findall(r"parcels_parcel_y\d{4}m\d\d\b", read.text))) <= 2


def test_planner_settings_are_restored_after_a_page(merchant: Actor) -> None:
    with scope(Scope.of(merchant)):
        page_of(ParcelFilter({}, queryset=Parcel.objects.visible_to(merchant)), size=SIZE)
        for way in ("sort", "bitmapscan", "seqscan"):
            assert raw_rows(f"SHOW enable_{way}") == [("on",)]
