"""Statements by API: months, one month, its entries by cursor."""

from datetime import datetime

import pytest
from rest_framework.test import APIClient

from alliance.choices import Capability, Role
from alliance.members.services.actors import actor_of_organisation
from alliance.members.services.api_keys import create_api_key
from alliance.models import Organisation
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from slas.api.statements import PARTS
from slas.credits.months import month_of, next_month, spell, start_of
from slas.credits.services.closing import close_month
from tests.slas.helpers.commitments import HOUR, NOON, Lane
from tests.slas.helpers.credit_cases import credit_others, deliver, send, work

pytestmark = pytest.mark.django_db
MONTH = month_of(NOON)
TEXT = spell(MONTH)
URL = "/api/v1/statements"


def keyed(actor: Actor, *scopes: str) -> APIClient:
    with scope(Scope.of(actor)):
        _key, token = create_api_key(actor=actor, name="books", scopes=set(scopes))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.fixture
def merchant_books(merchant: Actor) -> APIClient:
    return keyed(merchant, Capability.VIEW_FINANCE)


@pytest.fixture
def courier_books(courier: Actor) -> APIClient:
    return keyed(courier, Capability.VIEW_FINANCE)


@pytest.fixture
def credited(lane: Lane) -> Lane:
    """One overdue and then on time, one late by a day."""
    with scope(Scope.everything()):
        punctual, late = (send(lane.of_one_home()) for _ in range(2))
        work(NOON + HOUR)
        deliver(punctual, NOON - HOUR, now=NOON + HOUR)
        deliver(late, NOON + 24 * HOUR)
        work(NOON + HOUR)
    return lane


@pytest.mark.usefixtures("in_its_month")
def test_months_are_listed_newest_first(credited: Lane, merchant_books: APIClient, system: Actor) -> None:
    [month] = merchant_books.get(URL).json()["results"]
    assert month == {
        "month": TEXT, "state": "open", "closed_at": None, "entries": 4, "total": "5.00", "currency": "CNY",
    }  # fmt: skip
    with scope(Scope.everything()):
        close_month(actor=system, month=MONTH, now=start_of(next_month(MONTH)))
    answer = merchant_books.get(URL).json()
    assert answer["organisation"] == credited.merchant.public_id
    assert (answer["results"][0]["state"], answer["results"][0]["total"]) == ("final", "5.00")
    assert datetime.fromisoformat(answer["results"][0]["closed_at"]) == start_of(next_month(MONTH))


def test_month_equals_the_sum_of_its_parts(credited: Lane, courier_books: APIClient) -> None:
    answer = courier_books.get(f"{URL}/{TEXT}").json()
    sums = {"entries": 4, "credited": "7.00", "taken_back": "-2.00", "total": "5.00"}
    assert {name: answer[name] for name in sums} == sums
    assert answer["by_tier"] == [{"code": "next_day", "name": "Next day", **sums}]
    assert answer["by_counterparty"] == [{"code": credited.merchant.public_id, "name": "Lotus Tea", **sums}]
    assert [(part["code"], part["total"]) for part in answer["by_cause"]] == [
        ("late", "3.00"),
        ("overdue", "4.00"),
        ("withdrawn", "-2.00"),
    ]


def test_counterparties_come_by_cursor(credited: Lane, courier_books: APIClient) -> None:
    others = credit_others(credited, PARTS, fen=300)
    first = courier_books.get(f"{URL}/{TEXT}").json()
    last = courier_books.get(first["next_counterparties"]).json()
    shown = [*first["by_counterparty"], *last["by_counterparty"]]
    assert (len(first["by_counterparty"]), last["next_counterparties"]) == (PARTS, None)
    ids = [public_id(IdKind.MERCHANT, pk) for pk in (credited.merchant.pk, *others)]
    assert [part["code"] for part in shown] == ids
    assert courier_books.get(f"{URL}/{TEXT}", {"cursor": "300|1~x"}).status_code == 422


def test_entries_come_by_cursor_in_the_order_they_were_written(
    credited: Lane, merchant_books: APIClient
) -> None:
    first = merchant_books.get(f"{URL}/{TEXT}/entries", {"page_size": 3}).json()
    last = merchant_books.get(first["next"]).json()
    entries = [*first["results"], *last["results"]]
    assert [(entry["cause"], entry["amount"]) for entry in entries] == [
        ("overdue", "2.00"),
        ("overdue", "2.00"),
        ("withdrawn", "-2.00"),
        ("late", "3.00"),
    ]
    entry = entries[3]
    assert (entry["merchant"], entry["courier"], entry["tier"], entry["kind"], entry["late_by_seconds"]) == (
        credited.merchant.public_id,
        credited.courier.public_id,
        "next_day",
        "delivery",
        24 * 3600,
    )
    assert entry["tracking_number"].startswith("CA")
    assert (entries[0]["reached_at"], last["next"]) == (None, None)


def test_without_the_capability_there_is_no_money(credited: Lane, merchant: Actor) -> None:
    program = keyed(merchant, Capability.VIEW_RATES)
    for path in ("", f"/{TEXT}", f"/{TEXT}/entries"):
        assert program.get(URL + path).status_code == 403


def test_others_have_statements_of_their_own(credited: Lane, rival_merchant: Organisation) -> None:
    rival = actor_of_organisation(rival_merchant, kind="user", role=Role.OWNER, label="rival")
    answer = keyed(rival, Capability.VIEW_FINANCE).get(URL).json()
    assert [month["entries"] for month in answer["results"]] == [0]


@pytest.mark.parametrize("month", ["2019-01", "2084-01"])
@pytest.mark.parametrize("path", ["", "/entries"])
def test_month_without_entries_is_not_found(
    credited: Lane, merchant_books: APIClient, month: str, path: str
) -> None:
    response = merchant_books.get(f"{URL}/{month}{path}")
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "query", "pointer", "code"),
    [
        ("", {"month": "2026-11"}, "/month", "unknown"),
        (f"/{TEXT}", {"page": "2"}, "/page", "unknown"),
        (f"/{TEXT}/entries", {"limit": "2"}, "/limit", "unknown"),
        ("", {"organisation": "swift"}, "/organisation", "unknown"),
        (f"/{TEXT}/entries", {"cursor": "nonsense"}, "/cursor", "invalid"),
    ],
)
def test_wrong_parameters_are_pointed_at(
    credited: Lane, merchant_books: APIClient, path: str, query: dict[str, str], pointer: str, code: str
) -> None:
    response = merchant_books.get(URL + path, query)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


def test_ops_name_whose(credited: Lane, ops_client: APIClient) -> None:
    [error] = ops_client.get(URL).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/organisation", "required")
    for nobody in ("nobody", "\0", "a\0b"):
        [error] = ops_client.get(URL, {"organisation": nobody}).json()["errors"]
        assert (error["pointer"], error["code"]) == ("/organisation", "unknown")
    [error] = ops_client.get(URL, {"organisation": "nobody"}).json()["errors"]
    assert error["code"] == "unknown"
    answer = ops_client.get(f"{URL}/{TEXT}", {"organisation": credited.courier.public_id}).json()
    assert (answer["organisation"], answer["total"]) == (credited.courier.public_id, "5.00")
