"""Ops' lists of tables that grow without end: each is read along an index, whatever is asked of it.

Tables are empty here and plans are not run: what is told apart is what an index could answer at all.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alliance import long_lists
from alliance.database.table_storage import PARAMETERS
from alliance.identifiers import new_parcel_id, tracking_number
from alliance.long_lists import MOST_PAGES, LongListMixin
from alliance.models import AuditEntry
from alliance.tenancy import Scope, raw_rows, scope
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db
# Not so hot that they are stored in a way of their own, but nobody counts them either.
GROWING = {
    "alliance_auditentry", "parcels_bookingfile", "slas_creditentry", "slas_excuse", "slas_revision",
    "slas_statement",
}  # fmt: skip
TABLES = PARAMETERS.keys() | GROWING
VIEWS = {"slas_commitment_listing", "slas_breach_listing"}
LISTS = [
    model
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label)
    if model._meta.db_table in TABLES | VIEWS
]


@pytest.fixture(autouse=True)
def _as_new(db: None) -> None:
    """Forget what an ANALYZE found: of a table never looked at, the planner expects hundreds of rows."""
    if connection.pg_version < 180_000:  # type: ignore[attr-defined]
        return
    names = ", ".join(f"'{name}'" for name in TABLES)
    execute_as_owner(
        "SELECT pg_clear_relation_stats(current_schema()::text, relname::text) FROM pg_class"
        " WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace"
        f" AND regexp_replace(relname, '_y[0-9]{{4}}m[0-9]{{2}}$', '') IN ({names})"
    )


def test_no_count_is_shown_and_nothing_beyond_the_page_is_selected(ops_client: Client) -> None:
    with scope(Scope.everything()):
        AuditEntry.objects.bulk_create(
            AuditEntry(actor_kind="system", verb="tried", object_type="test") for _row in range(120)
        )
    page = ops_client.get(address_of(AuditEntry))
    shown = page.context["cl"]
    assert shown.result_count == shown.full_result_count == len(shown.result_list) == shown.list_per_page
    assert "Select all" not in page.content.decode()
    assert f"{MOST_PAGES * shown.list_per_page}" not in page.content.decode()
    request = RequestFactory().post("/", {"select_across": "1", "_selected_action": ["1", "2"]})
    assert long_lists._of_ticked_rows(request).POST["select_across"] == "0"
    assert request.POST.getlist("_selected_action") == ["1", "2"]


def address_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def plans_of(
    client: Client, address: str, *, is_ordered: bool = True
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each statement of a page that reads such a table, and the nodes of its plan."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200, address
    with scope(Scope.everything()):
        # Of an empty table the planner would read and sort all.
        for setting in ("seqscan", "bitmapscan", "sort"):
            raw_rows(f"SET LOCAL enable_{setting} = off")
        for sql in [query["sql"] for query in queries if query["sql"].startswith("SELECT")]:
            if not is_ordered:
                sql, *_rest = sql.split(" ORDER BY ")
            [[plan]] = raw_rows("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"))
            nodes = list(_nodes(plan[0]["Plan"]))
            if any(_table(node) in TABLES for node in nodes):
                yield sql, nodes


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _table(node: dict[str, Any]) -> str:
    """The table a node reads; of a month, the table it is a month of."""
    return re.sub(r"_y\d{4}m\d\d$", "", node.get("Relation Name", ""))


def questions_of(client: Client, model: type[Model]) -> Iterator[str]:
    """The list as it opens, by each choice of each filter, and in another order than its own."""
    address = address_of(model)
    page = client.get(address).context["cl"]
    yield address
    yield f"{address}?{ORDER_VAR}=2"
    for spec in page.filter_specs:
        yield from (address + choice["query_string"] for choice in spec.choices(page))


def assert_along_an_index(sql: str, nodes: list[dict[str, Any]]) -> None:
    message = (
        f"{sql}\n{[(node['Node Type'], node.get('Index Name'), node.get('Sort Key')) for node in nodes]}"
    )
    kinds = {node["Node Type"] for node in nodes}
    assert not [node for node in nodes if _table(node) in TABLES and node["Node Type"] == "Seq Scan"], message
    # Counts and choices of distinct values read everything; so does another order than an index has.
    assert not kinds & {"Aggregate", "Unique", "Group", "Sort"}, message


def test_these_are_the_lists_of_hot_tables() -> None:
    assert {model.__name__ for model in LISTS} == {
        "AuditEntry", "BookingFile", "BreachListing", "CapacityDay", "CommitmentListing", "CreditEntry",
        "Event", "Excuse", "OnTimeRate", "Parcel", "Revision", "Statement", "WatchItem",
    }  # fmt: skip
    assert all(isinstance(admin.site._registry[model], LongListMixin) for model in LISTS)


@pytest.mark.parametrize("model", LISTS)
def test_no_list_and_no_filter_sorts_or_counts_a_hot_table(
    model: type[Model], ops_client: Client, courier_organisation: Model
) -> None:
    for address in set(questions_of(ops_client, model)):
        for sql, nodes in plans_of(ops_client, address):
            assert_along_an_index(sql, nodes)


@pytest.mark.parametrize("model", [model for model in LISTS if admin.site._registry[model].search_fields])
def test_search_uses_an_index(model: type[Model], ops_client: Client, merchant_organisation: Model) -> None:
    number = tracking_number(new_parcel_id(timezone.now()))
    for term in (number, "PO-1", merchant_organisation.slug, "closure 12"):  # type: ignore[attr-defined]
        for sql, nodes in plans_of(ops_client, f"{address_of(model)}?{SEARCH_VAR}={term}", is_ordered=False):
            table_nodes = [node for node in nodes if _table(node) in TABLES]
            assert all("Index Cond" in node for node in table_nodes), (
                f"{sql}\n{json.dumps(nodes[0], indent=1)}"
            )


def test_pages_end_before_they_lie_too_deep(ops_client: Client) -> None:
    for model in LISTS:
        page = ops_client.get(address_of(model)).context["cl"]
        assert page.paginator.num_pages == MOST_PAGES
    beyond = ops_client.get(f"{address_of(model)}?p={MOST_PAGES + 1}")
    assert (beyond.status_code, beyond.url) == (302, f"{address_of(model)}?e=1")  # type: ignore[attr-defined]


def test_slow_filter_is_given_up(ops_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    address = reverse("admin:alliance_event_changelist")
    wait = "SELECT pg_sleep(5) FROM generate_series(1, 2)"
    monkeypatch.setattr(long_lists, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr("alliance.long_lists.OneOrderList.get_results", lambda self, request: raw_rows(wait))
    response = ops_client.get(f"{address}?topic=lost", follow=False)
    assert (response.status_code, response.url) == (302, address)  # type: ignore[attr-defined]
