"""Test parcels enter nothing: every table, and what others read, is the same before and after all stories."""

import json
import re
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.events import Topic
from alliance.sandboxes import OFFSET
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels import tasks as parcel_tasks
from parcels.choices import Story
from parcels.models import Parcel, WebhookDelivery
from slas import tasks as sla_tasks
from slas.models import CapacityDay, Offer
from slas.models import Tally as TallyModel
from tests.parcels.helpers.bookings import book
from tests.parcels.helpers.parcel_views import scan
from tests.parcels.helpers.revisions import day
from tests.parcels.sandboxes.helpers import (
    SCOPES,
    finish,
    parcel_of,
    program_of,
    sandbox_of_merchant,
    tell,
)
from tests.parcels.webhooks.helpers import endpoint, fanned_out

pytestmark = pytest.mark.django_db

# All that is swept, counted, listed, judged and paid; what is sent and what only tidies up is not among them.
TASKS = (
    sla_tasks.sweep_overdue,
    sla_tasks.fold_tallies,
    sla_tasks.fold_progress,
    sla_tasks.check_grown_credits,
    sla_tasks.work_out_credits,
    sla_tasks.refresh_scorecards,
    sla_tasks.audit_rates,
    parcel_tasks.refresh_watch_list,
    parcel_tasks.trace_lost_parcels,
    parcel_tasks.count_freight,
    parcel_tasks.count_missed_pickups,
    parcel_tasks.count_missed_pickups_again,
    parcel_tasks.erase_recipients,
)
# Tables that have new rows, each of a sandbox, by the column that says so. No figure is made of them.
OWN_ROWS = {
    "alliance_auditentry": "organisation_id",
    "alliance_event": "merchant_id",
    "parcels_parcelstory": "merchant_id",
    "parcels_recipientproof": "merchant_id",
}
# When something ran last.
NOTES = "alliance_heartbeat"
# What a count that is written anew changes, though its figures are the same.
CHANGING = ("id", "computed_at", "counted_at", "refreshed_at", "updated_at", "last_used_at", "last_used_from")


_WRITTEN = re.compile(rb'"(computed|counted|refreshed)_at":"[^"]*"')


@pytest.fixture
def live(merchant_api: APIClient, merchant: Actor, sold: Offer) -> list[Parcel]:
    """A world that has figures: a parcel delivered, one late, one that waits."""
    numbers = [book(merchant_api)["tracking_number"] for _n in range(3)]
    parcels = [parcel_of(merchant, number) for number in numbers]
    for parcel, hours in zip(parcels, (20, 90), strict=False):
        scan(parcel, "picked_up", 1)
        scan(parcel, "delivered", hours)
    return parcels


@pytest.fixture
def sandbox(merchant: Actor) -> Actor:
    return sandbox_of_merchant(merchant)


def _run_all() -> None:
    for task in TASKS:
        task()


def _everything() -> dict[str, list[str]]:
    """All rows that workers and ops see, of every table there is."""
    with scope(Scope.everything()):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
                " AND relnamespace = current_schema()::regnamespace"
            )
            tables = [name for (name,) in cursor.fetchall()]
        without = "".join(f" - '{name}'" for name in CHANGING)
        return {
            table: sorted(
                text
                for (text,) in raw_rows(f"SELECT (to_jsonb(t){without})::text FROM {table} t")  # noqa: S608
            )
            for table in tables
            if table != NOTES
        }


def _tell_all(sandbox: Actor, api: APIClient) -> None:
    """Every story to its end; an order of two; one cancelled; one of which the recipient moves the day."""
    for story in Story:
        tell(api, story)
    book(api, pieces=[{"weight_g": 500}, {"weight_g": 700}], weight_g=...)
    number = book(api)["tracking_number"]
    assert api.post(f"/api/v1/parcels/{number}/cancel").status_code == 200
    number = book(api)["tracking_number"]
    chosen = {"digits": "5678", "day": day(parcel_of(sandbox, number), ahead=3).isoformat()}
    assert Client().post(f"/track/{number}/day/", chosen).status_code == 302
    assert finish() > 20


def _new_rows(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, set[str]]:
    changed = {table for table in after if before[table] != after[table]}
    assert all({*before[table]} <= {*after[table]} for table in changed & OWN_ROWS.keys())
    return {table: {*after[table]} ^ {*before[table]} for table in changed}


def test_no_table_changes(live: list[Parcel], sandbox: Actor) -> None:
    api = program_of(sandbox)
    _run_all()
    before = _everything()
    _tell_all(sandbox, api)
    _run_all()
    new = _new_rows(before, _everything())
    assert {table: rows for table, rows in new.items() if table not in OWN_ROWS} == {}
    assert new.keys() == OWN_ROWS.keys()
    for table, rows in new.items():
        assert all(json.loads(row)[OWN_ROWS[table]] >= OFFSET for row in rows)


def test_live_parcels_would_change_them(live: list[Parcel], merchant_api: APIClient) -> None:
    _run_all()
    before = _everything()
    book(merchant_api)
    _run_all()
    changed = _new_rows(before, _everything()).keys()
    assert changed >= {"slas_ontimerate", "slas_capacityday", "slas_commitment", "parcels_parcel"}


def _lists() -> list[str]:
    def walk(patterns: list[Any], before: str) -> list[str]:
        found: list[str] = []
        for each in patterns:
            route = f"{before}{each.pattern}"
            found += walk(each.url_patterns, route) if isinstance(each, URLResolver) else [route]
        return found

    routes = walk(get_resolver().url_patterns, "")
    return sorted({f"/{route}" for route in routes if route.startswith("api/v1/") and "<" not in route})


def _read(client: APIClient) -> dict[str, bytes]:
    """All that a program reads without naming anything; refusals have the id of their call."""
    answers = {route: client.get(route) for route in _lists()}
    return {
        route: _WRITTEN.sub(b"", answer.content)
        for route, answer in answers.items()
        if answer.status_code == 200
    }


def test_couriers_and_the_live_merchant_read_the_same(
    live: list[Parcel], sandbox: Actor, courier_api: APIClient, merchant_api: APIClient
) -> None:
    _run_all()
    api = program_of(sandbox)
    quote = {"origin": "CN-HGH", "destination": "CN-CTU", "weight_g": 800}
    before = _read(courier_api), _read(merchant_api)
    places = [each["capacity_left"] for each in merchant_api.post("/api/v1/quotes", quote).json()["offers"]]
    assert sum(map(len, before)) > 15
    _tell_all(sandbox, api)
    _run_all()
    for was, client in zip(before, (courier_api, merchant_api), strict=True):
        now = _read(client)
        assert {route: (was[route], now[route]) for route in now if was[route] != now[route]} == {}
    assert [
        each["capacity_left"] for each in merchant_api.post("/api/v1/quotes", quote).json()["offers"]
    ] == (places)


@pytest.mark.parametrize("who", ["courier_api", "merchant_api"])
def test_others_do_not_find_a_test_parcel(
    who: str, sandbox: Actor, sold: Offer, request: pytest.FixtureRequest, ops_client: Client
) -> None:
    number = tell(program_of(sandbox), Story.DELIVERED)
    client = request.getfixturevalue(who)
    assert client.get(f"/api/v1/parcels/{number}").status_code == 404
    parcel = parcel_of(sandbox, number)
    assert ops_client.get(f"/admin/parcels/parcel/{parcel.pk}/change/").status_code in (302, 404)


def test_a_courier_cannot_scan_a_test_parcel(sandbox: Actor, sold: Offer, courier_api: APIClient) -> None:
    number = tell(program_of(sandbox), Story.DELIVERED)
    line = {"tracking_number": number, "code": "picked_up", "occurred_at": timezone.now().isoformat()}
    answer = courier_api.post("/api/v1/scans", [line]).json()
    assert [each["code"] for each in answer["rejections"]] == ["unknown_parcel"]


def test_a_test_key_sees_no_live_parcel(live: list[Parcel], sandbox: Actor) -> None:
    api = program_of(sandbox)
    assert api.get("/api/v1/parcels").json()["results"] == []
    assert api.get(f"/api/v1/parcels/{live[0].number}").status_code == 404


def test_webhooks_of_the_sandbox_alone_are_told(
    sandbox: Actor, sold: Offer, merchant: Actor, courier: Actor
) -> None:
    topics = (Topic.PARCEL_BOOKED, Topic.PARCEL_STATUS_CHANGED, Topic.COMMITMENT_LATE)
    theirs = [endpoint(actor, topics=topics)[0] for actor in (merchant, courier)]
    own, _secret = endpoint(sandbox, topics=topics)
    tell(program_of(sandbox), Story.LATE)
    finish()
    assert fanned_out() > 0
    with scope(Scope.everything()):
        told = {*WebhookDelivery.objects.values_list("endpoint_id", "topic")}
    assert {topic for pk, topic in told if pk == own.pk} == {*topics}
    assert not told & {(hook.pk, topic) for hook in theirs for topic in topics}


@pytest.mark.parametrize("to", [Scope.everything(), Scope.courier(1), Scope.nothing()])
@pytest.mark.parametrize("table", ["parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach"])
def test_the_database_shows_test_parcels_to_their_sandbox_alone(
    sandbox: Actor, sold: Offer, courier: Actor, table: str, to: Scope
) -> None:
    tell(program_of(sandbox), Story.LATE)
    finish()
    count = f"SELECT count(*) FROM {table}"  # noqa: S608
    with scope(Scope.of(sandbox)):
        assert raw_rows(count) != [(0,)]
    with scope(Scope.courier(courier.tenant_id) if to == Scope.courier(1) else to):
        assert raw_rows(count) == [(0,)]


def test_the_database_refuses_counts_of_a_sandbox(sandbox: Actor, courier: Actor, sold: Offer) -> None:
    values = f"{sandbox.organisation_id}, {courier.organisation_id}"
    statements = [
        "INSERT INTO slas_creditcheck (id, parcel_id, kind, merchant_id, courier_id)"
        f" VALUES (1, 1, 'delivery', {values})",
        f"INSERT INTO alliance_acquaintance (merchant_id, courier_id) VALUES ({values})",
        'INSERT INTO slas_capacityday (offer_id, courier_id, date, "limit", reserved)'
        f" VALUES ({sold.pk}, {courier.organisation_id}, '2030-01-01', 1, 1)",
    ]
    for to in (Scope.of(sandbox), Scope.everything()):
        for statement in statements[: 3 if to == Scope.of(sandbox) else 2]:
            with (
                pytest.raises(DatabaseError, match="row-level security"),
                transaction.atomic(),
                scope(to),
            ):
                raw_rows(f"{statement} RETURNING 1")


def test_a_sandbox_takes_no_places_and_gives_none_back(
    sandbox: Actor, sold: Offer, merchant_api: APIClient
) -> None:
    book(merchant_api)
    api = program_of(sandbox, SCOPES)

    def reserved() -> list[int]:
        with scope(Scope.everything()):
            return [*CapacityDay.objects.values_list("reserved", flat=True)]

    assert reserved() == [1]
    number = book(api)["tracking_number"]
    assert reserved() == [1]
    assert api.post(f"/api/v1/parcels/{number}/cancel").status_code == 200
    assert reserved() == [1]
    with scope(Scope.of(sandbox)):
        assert not TallyModel.objects.exists()


def test_a_full_day_is_full_for_tests_too(sandbox: Actor, sold: Offer, merchant_api: APIClient) -> None:
    with scope(Scope.everything()):
        Offer.objects.filter(pk=sold.pk).update(daily_capacity=1)
    first = book(merchant_api, if_full="next")
    second = book(program_of(sandbox), if_full="next")
    third = book(merchant_api, if_full="next")
    assert second["promise"]["original"] == third["promise"]["original"] > first["promise"]["original"]
