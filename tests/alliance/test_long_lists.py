"""Ops' lists of tables that grow without end: each is read along an index, whatever is asked of it.

Tables are empty here and plans are not run: what is told apart is what an index could answer at all.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.contrib.admin.widgets import AutocompleteMixin, ForeignKeyRawIdWidget
from django.db import connection
from django.db.models import Model
from django.forms import ModelChoiceField
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alliance import long_lists
from alliance.database.cluster import is_distributed
from alliance.database.table_storage import PARAMETERS
from alliance.events import NewEvent, Topic, record
from alliance.identifiers import new_parcel_id, tracking_number
from alliance.long_lists import LongListMixin, NamedListMixin
from alliance.members.services.actors import actor_of_user
from alliance.models import AuditEntry, Event, User
from alliance.tenancy import Scope, raw_rows, scope
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db
# Not so hot that they are stored in a way of their own, but nobody counts them either.
GROWING = {
    "alliance_auditentry", "parcels_bookingfile", "parcels_dryrun", "parcels_freightstatement",
    "parcels_pickup", "parcels_surcharge",
    "slas_allocationrule", "slas_creditentry", "slas_excuse", "slas_revision", "slas_statement",
}  # fmt: skip
# As many as there are tenants.
TENANTS = {
    "account_emailaddress", "alliance_apikey", "alliance_contact", "alliance_invitation", "alliance_member",
    "alliance_organisation", "alliance_savedview", "alliance_user", "parcels_merchant",
    "parcels_pickupaddress", "parcels_webhookendpoint", "usersessions_usersession",
}  # fmt: skip
TABLES = PARAMETERS.keys() | GROWING | TENANTS
# Reviewed: as many as couriers, or the rules and days that ops enter. The others are read by cursor.
SMALL = {
    "Application", "ChangeRequest", "City", "ClosedMonth", "Closure", "Courier", "CourierHome",
    "CreditSchedule", "Disruption", "Facility", "Heartbeat", "Offer", "PeriodicTask", "RetiredMonth",
    "ScoreRules", "Scorecard", "ServiceTier", "TierVersion",
}  # fmt: skip
VIEWS = {"slas_commitment_listing", "slas_breach_listing"}
LISTS = [
    model
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label)
    if model._meta.db_table in TABLES | VIEWS
]
# Partial indexes of rows that are few, which may be read whole.
OF_FEW = {
    "organisation_by_rare_kind",
    "organisation_by_rare_status",
    "user_is_staff",
    "user_is_inactive",
    "webhook_failing",
}


@pytest.fixture(autouse=True)
def _as_new(db: None) -> None:
    """Forget what an ANALYZE found: of a table never looked at, the planner expects hundreds of rows."""
    if is_distributed() or connection.pg_version < 180_000:  # type: ignore[attr-defined]
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
    assert " 1000" not in page.content.decode()
    request = RequestFactory().post("/", {"select_across": "1", "_selected_action": ["1", "2"]})
    assert long_lists._of_ticked_rows(request).POST["select_across"] == "0"
    assert request.POST.getlist("_selected_action") == ["1", "2"]


def address_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def plans_of(
    client: Client, address: str, *, is_ordered: bool = True
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each statement of a page that reads such a table, and the nodes of its plan.

    None on a cluster, where each shard plans for itself: the page has to answer.
    """
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200, address
    if is_distributed():
        return
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
        "AllocationRule", "ApiKey", "AuditEntry", "BookingFile", "BreachListing", "CapacityDay",
        "CommitmentListing", "CreditEntry", "DryRun", "Event", "Excuse", "FreightStatement", "Merchant",
        "OnTimeRate", "Organisation", "Parcel", "Pickup", "PickupAddress", "Revision", "Statement",
        "Surcharge", "User", "WatchItem", "WebhookEndpoint",
    }  # fmt: skip
    assert all(isinstance(admin.site._registry[model], LongListMixin) for model in LISTS)


def test_every_other_list_is_short_or_read_by_cursor() -> None:
    listings = admin.site._registry.items()
    counted = {model.__name__ for model, listing in listings if not isinstance(listing, LongListMixin)}
    assert counted == SMALL


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=lambda model: model._meta.label))
def test_no_form_and_no_filter_offers_all_tenants(model: type[Model], ops_user: User, rf: Any) -> None:
    """A select box of ten million organisations ends the browser, before that the server."""
    listing, request = admin.site._registry[model], rf.get("/")
    request.user, request.actor = ops_user, actor_of_user(ops_user)
    entry = getattr(listing, "entry_form", None)
    fields = dict(entry().fields) if entry else {}
    for inline in [listing, *listing.get_inline_instances(request)]:
        if inline.has_change_permission(request):
            form = inline.get_form(request) if inline is listing else inline.get_formset(request).form
            fields |= {f"{inline}.{name}": field for name, field in form.base_fields.items()}
    offered = {
        name: field.queryset.model._meta.db_table
        for name, field in fields.items()
        if isinstance(field, ModelChoiceField) and not _is_picker(field.widget)
    }
    assert not [name for name, table in offered.items() if table in TABLES]
    for name in listing.autocomplete_fields:
        target = model._meta.get_field(name).related_model
        if target._meta.db_table in TABLES:
            assert isinstance(admin.site._registry[target], NamedListMixin), name
    for name in [name for name in listing.list_filter if isinstance(name, str)]:
        assert _table_of(get_fields_from_path(model, name)[-1]) not in TABLES, name


def _is_picker(widget: Any) -> bool:
    inner = getattr(widget, "widget", widget)
    return isinstance(inner, (AutocompleteMixin, ForeignKeyRawIdWidget))


def _table_of(field: Any) -> str:
    """The table that a field refers to."""
    return field.related_model._meta.db_table if field.related_model else ""


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
    slug = merchant_organisation.public_id  # type: ignore[attr-defined]
    for term in (number, "PO-1", slug, "closure 12", "a", "茶业", "owner@", "ca_0123456789_", "杭州"):
        for sql, nodes in plans_of(ops_client, f"{address_of(model)}?{SEARCH_VAR}={term}", is_ordered=False):
            table_nodes = [node for node in nodes if _table(node) in TABLES]
            assert all("Index Cond" in node or node["Index Name"] in OF_FEW for node in table_nodes), (
                f"{sql}\n{json.dumps(nodes[0], indent=1)}"
            )


@pytest.mark.parametrize("query", ["", "?q=wander", "?verb=x&q="])
def test_every_row_is_on_one_page_and_the_way_back_leads_over_the_same(
    ops_client: Client, query: str
) -> None:
    User.objects.bulk_create(User(email=f"wander-{number}@x.example") for number in range(120))
    address = address_of(User) + query.replace("verb=x&", "is_staff__exact=0&")
    pages, url = [], address
    while url:
        page = ops_client.get(url).context["cl"]
        pages.append(([row.pk for row in page.result_list], page.previous_url))
        url = page.next_url and address_of(User) + page.next_url
    numbers = [number for rows, _previous in pages for number in rows]
    assert [len(rows) for rows, _previous in pages[:2]] == [50, 50]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(numbers) >= 120
    assert (pages[0][1], bool(pages[1][1])) == ("", True)
    back = ops_client.get(address_of(User) + pages[2][1]).context["cl"]
    assert [row.pk for row in back.result_list] == pages[1][0]
    assert back.next_url
    assert back.previous_url


@pytest.mark.one_server("a plan; on a cluster each shard plans for itself")
def test_the_people_a_filter_names_are_read_by_the_index_of_staff(ops_client: Client) -> None:
    """In the order of addresses, all users would be read for fifty of them."""
    plans = plans_of(ops_client, address_of(AuditEntry))
    staff = [nodes for sql, nodes in plans if '"alliance_user"."is_staff"' in sql.partition(" WHERE ")[2]]
    assert [node["Index Name"] for nodes in staff for node in nodes if _table(node)] == ["user_is_staff"]


def test_search_and_filter_hold_together(ops_client: Client) -> None:
    """Of what is rare no page of the newest names holds any: its own rows are compared."""
    names = [f"wander-{number}@x.example" for number in range(120)]
    User.objects.bulk_create(User(email=name, is_active=number > 0) for number, name in enumerate(names))
    for query, expected in {
        "q=WANDER&is_active__exact=0": names[:1],
        "q=wander-1&is_active__exact=0": [],
        "q=wander-11&is_active__exact=1": [*names[119:109:-1], names[11]],
        "q=wander&is_staff__exact=0": names[119:69:-1],
    }.items():
        page = ops_client.get(f"{address_of(User)}?{query}").context["cl"]
        assert [user.email for user in page.result_list] == expected, query


@pytest.mark.parametrize("place", ["x", "1|2", "99999999999999999999", "|"])
def test_a_place_of_no_list_leads_to_the_start(ops_client: Client, place: str) -> None:
    response = ops_client.get(address_of(User), {"after": place}, follow=True)
    assert response.status_code == 200
    said = "The address had no valid place in this list: it begins at its start."
    # No user has the number of twenty digits, so nothing follows it.
    is_said = [str(message) for message in response.context["messages"]] == [said]
    assert is_said or (place.isdecimal() and not response.redirect_chain)


def test_slow_filter_is_given_up(ops_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    address = reverse("admin:alliance_event_changelist")
    wait = "SELECT pg_sleep(5) FROM generate_series(1, 2)"
    monkeypatch.setattr(long_lists, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr("alliance.long_lists.OneOrderList.get_results", lambda self, request: raw_rows(wait))
    response = ops_client.get(f"{address}?topic=lost", follow=False)
    assert (response.status_code, response.url) == (302, address)  # type: ignore[attr-defined]


def test_link_of_a_row_names_its_parcel_and_its_page_is_that_parcels(ops_client: Client) -> None:
    with scope(Scope.everything()):
        record([NewEvent(Topic.CREDIT_WRITTEN, merchant_id=1, parcel_id=new_parcel_id(timezone.now()))])
        [event] = Event.objects.all()
    page = ops_client.get(reverse("admin:alliance_event_changelist")).content.decode()
    link = f"{reverse('admin:alliance_event_change', args=[event.pk])}?parcel={event.parcel_id}"
    assert link in page
    assert ops_client.get(link).status_code == 200
    # As Django answers for a row that is not there.
    by_id, _question, _parcel = link.partition("?")
    assert ops_client.get(f"{by_id}?parcel=7").status_code == 302
    assert ops_client.get(by_id).status_code == 200
