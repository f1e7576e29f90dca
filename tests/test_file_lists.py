"""Lists of files, exported and uploaded: they grow for ever, and a page of them costs the same."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.db.models import Model, QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alliance.cursor_seals import Seal
from alliance.models import Organisation
from alliance.portal.paging import Asked, Listing
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.models import BookingFile, ScanFile
from parcels.portal import booking_files as booking_pages
from parcels.portal import scan_files as scan_pages
from slas.exports.services.requests import exports_of
from slas.models import Export, OfferFile
from slas.portal import exports as export_pages
from slas.portal import offer_files as offer_pages
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db
SIZE = 20


def export(owner: int | None) -> Export:
    today, now = timezone.localdate(), timezone.now()
    return Export(
        organisation_id=owner, content="rates", format="csv", first=today, last=today, language="en",
        state="expired", expires_at=now,
    )  # fmt: skip


def scan_file(owner: int | None) -> ScanFile:
    return ScanFile(courier_id=owner, name="scans.csv", encoding="utf-8", language="en", state="done", rows=1)


def offer_file(owner: int | None) -> OfferFile:
    return OfferFile(
        courier_id=owner, name="offers.csv", encoding="utf-8", language="en", state="done", rows=1
    )


def booking_file(owner: int | None) -> BookingFile:
    return BookingFile(
        merchant_id=owner, name="orders.csv", size=1, lines=1, encoding="utf-8", language="en", state="done"
    )


class FileList(NamedTuple):
    """A list of files: whose, where, how it is read."""

    reader: str
    path: str
    make: Callable[[int | None], Model]
    found: Callable[[Actor], QuerySet[Any]]
    listing: Listing
    index: str

    def of(self, actor: Actor) -> int | None:
        return None if actor.is_ops else actor.organisation_id


OWN_EXPORTS = (export, exports_of, export_pages.LIST, "export_by_organisation")
LISTS = [
    FileList("merchant", "/exports/", *OWN_EXPORTS),
    FileList("ops", "/exports/", *OWN_EXPORTS),
    FileList(
        "courier", "/scans/upload/", scan_file,
        lambda actor: ScanFile.objects.visible_to(actor).select_related("uploaded_by"),
        scan_pages.LIST, "scan_file_by_courier",
    ),
    FileList(
        "courier", "/offers/upload/", offer_file,
        lambda actor: OfferFile.objects.visible_to(actor).select_related("uploaded_by"),
        offer_pages.LIST, "offer_file_by_courier",
    ),
    FileList(
        "merchant", "/bookings/upload/", booking_file,
        lambda actor: BookingFile.objects.visible_to(actor).select_related("uploaded_by"),
        booking_pages.LIST, "booking_file_by_merchant",
    ),
]  # fmt: skip


@pytest.fixture(params=LISTS, ids=lambda item: f"{item.reader}{item.path}")
def files(request: pytest.FixtureRequest) -> FileList:
    chosen: FileList = request.param
    return chosen


@pytest.fixture
def reader(files: FileList, request: pytest.FixtureRequest) -> Actor:
    actor: Actor = request.getfixturevalue("system" if files.reader == "ops" else files.reader)
    return actor


@pytest.fixture
def client(files: FileList, request: pytest.FixtureRequest) -> Client:
    found: Client = request.getfixturevalue(f"{files.reader}_client")
    return found


def store(files: FileList, owner: int | None, count: int) -> None:
    rows = [files.make(owner) for _number in range(count)]
    with scope(Scope.everything()):
        type(rows[0])._default_manager.bulk_create(rows)


def shown(page: Any) -> list[int]:
    if "files" in page.context:
        return [file.pk for file in page.context["files"]]
    return [row.export.pk for row in page.context["rows"]]


def test_pages_lead_there_and_back(files: FileList, reader: Actor, client: Client) -> None:
    store(files, files.of(reader), 2 * SIZE + 3)
    first = client.get(files.path)
    second = client.get(files.path + first.context["next_url"])
    third = client.get(files.path + second.context["next_url"])
    seen = [*shown(first), *shown(second), *shown(third)]
    assert seen == sorted(seen, reverse=True)
    assert [len(shown(page)) for page in (first, second, third)] == [SIZE, SIZE, 3]
    assert first.context["previous_url"] == third.context["next_url"] == ""
    assert shown(client.get(files.path + third.context["previous_url"])) == shown(second)
    assert 'rel="next"' in first.content.decode()


@pytest.mark.parametrize("place", ["x", "-1", "9" * 30, "1|2", "\0", "1", "1~abc"])
def test_cursors_that_are_not_of_the_list_are_refused(
    files: FileList, reader: Actor, client: Client, place: str
) -> None:
    store(files, files.of(reader), 2)
    for side in ("after", "before"):
        page = client.get(files.path, {side: place})
        assert (page.status_code, shown(page)) == (422, [])
        assert "This link does not fit this list" in page.content.decode()
        assert len(shown(client.get(files.path + page.context["newest_url"]))) == 2


def test_files_are_listed_from_the_oldest_too(files: FileList, reader: Actor, client: Client) -> None:
    store(files, files.of(reader), 2 * SIZE + 3)
    first = client.get(files.path, {"sort": "time"})
    second = client.get(files.path + first.context["next_url"])
    third = client.get(files.path + second.context["next_url"])
    seen = [*shown(first), *shown(second), *shown(third)]
    assert seen == sorted(seen)
    assert (len(seen), third.context["next_url"]) == (2 * SIZE + 3, "")
    assert 'aria-sort="ascending"' in first.content.decode()


def test_page_whose_files_are_gone_says_that_the_list_ends(
    files: FileList, reader: Actor, client: Client
) -> None:
    store(files, files.of(reader), 1)
    page = client.get(files.path, {"after": asked(files, reader).seal.close("0")})
    assert shown(page) == []
    assert "No more results" in page.content.decode()
    assert len(shown(client.get(files.path + page.context["newest_url"]))) == 1


def test_a_page_costs_the_same_for_one_for_many_and_deep_down(
    files: FileList, reader: Actor, client: Client
) -> None:
    store(files, files.of(reader), 1)
    client.get(files.path)
    costs, path = [], files.path
    for _page in range(3):
        with CaptureQueriesContext(connection) as queries:
            page = client.get(path)
        costs.append(len(queries))
        asked = [query["sql"] for query in queries if files.make(None)._meta.db_table in query["sql"]]
        assert not [sql for sql in asked if "COUNT(" in sql]
        path = files.path + page.context["next_url"]
        if not page.context["next_url"]:
            store(files, files.of(reader), 2 * SIZE)
    assert len(set(costs)) == 1, costs


@pytest.mark.one_server("a plan; its tables are the coordinator's alone, who plans as one server does")
def test_a_page_is_read_along_its_index_however_many_others_there_are(
    files: FileList, reader: Actor, merchant: Actor, rival_merchant: Organisation, rival_courier: Organisation
) -> None:
    other = rival_courier.pk if files.make in (scan_file, offer_file) else rival_merchant.pk
    for _turn in range(4):
        store(files, files.of(reader), SIZE)
        store(files, other, 500)
    table = files.make(None)._meta.db_table
    with scope(Scope.of(reader)):
        execute_as_owner(f"ANALYZE {table}")
        middle = str(files.found(reader).order_by("-pk")[2 * SIZE].pk)
        for what in ({}, {"after": middle}, {"before": middle}, {"after": middle, "ascending": True}):
            for plan in plans(files, reader, what):
                nodes = list(_nodes(plan))
                read = [node for node in nodes if node.get("Relation Name") == table]
                assert [node["Index Name"] for node in read] == [files.index], plan
                assert sum(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in read) == 21
                assert not [node for node in nodes if node["Node Type"] == "Sort"], plan


def asked(files: FileList, reader: Actor, **what: Any) -> Asked:
    seal = Seal.of(reader, files.listing.name, {}, "time" if what.get("ascending") else "-time")
    values = {"column": "time", "ascending": False, "after": "", "before": "", "is_refused": False, **what}
    return Asked(listing=files.listing, seal=seal, filters={}, **values)


def plans(files: FileList, reader: Actor, what: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read a page; then each of its statements again, the planner's switches included, explained."""
    with CaptureQueriesContext(connection) as queries:
        files.listing.page(files.found(reader), asked(files, reader, **what), size=SIZE)
    for sql in [query["sql"].replace("%", "%%") for query in queries]:
        if sql.startswith("SELECT"):
            [[plan]] = raw_rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            yield plan[0]["Plan"]
        else:
            raw_rows(sql)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
