"""Places in long lists, and the pages on both sides of them."""

from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from alliance.cursors import Order, Place, Stretch, moment, number, page_at, place_text, word
from alliance.models import AuditEntry

ORDER = Order((("at", moment), ("pk", number), ("kind", word)))


# --- places in addresses -----------------------------------------------------------------------


def test_place_is_read_back_from_what_is_written() -> None:
    row = SimpleNamespace(at=datetime(2026, 2, 28, 16, 0, 0, 5, tzinfo=UTC), pk=2**62, kind="late")
    place = ORDER.place_of(row)
    assert place_text(place) == "2026-02-28T16:00:00.000005+00:00|4611686018427387904|late"
    assert ORDER.read(place_text(place)) == place
    assert place_text(None) == ""


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "|", "||", "2026-02-28T16:00:00Z|1", "2026-02-28T16:00:00|1|late",
        "2026-02-30T16:00:00Z|1|late", "9999-12-31T23:59:59-23:00|1|late",
        "0001-01-01T00:00:00+23:00|1|late", "2026-02-28T16:00:00Z|-1|late",
        "2026-02-28T16:00:00Z|٣|late", "2026-02-28T16:00:00Z|9999999999999999999|late",
        "2026-02-28T16:00:00Z|1|\0", "2026-02-28T16:00:00Z|1|late|",
    ],
)  # fmt: skip
def test_text_that_is_no_place_is_none(text: str) -> None:
    assert ORDER.read(text) is None


# --- pages -------------------------------------------------------------------------------------


def look_at(
    ids: list[int],
    size: int,
    at_most: int | None,
    *,
    older_than: Place | None = None,
    newer_than: Place | None = None,
) -> Stretch[int]:
    """Read a list of numbers, of which even ones match; after `at_most` of them the search is stopped."""
    side = sorted(ids, reverse=True) if newer_than is None else sorted(ids)
    if older_than is not None:
        side = [pk for pk in side if pk < older_than[0]]
    if newer_than is not None:
        side = [pk for pk in side if pk > newer_than[0]]
    end = None
    if at_most is not None:
        end = (side[at_most - 1],) if len(side) >= at_most else None
        side = side[:at_most]
    return Stretch([pk for pk in side if pk % 2 == 0][: size + 1], end)


def page_of(ids: list[int], size: int, at_most: int | None = None, **place: Any) -> Any:
    return page_at(partial(look_at, ids, size, at_most), lambda pk: (pk,), size=size, **place)


def test_list_is_walked_to_its_end_and_back() -> None:
    ids = list(range(2, 22, 2))
    first = page_of(ids, 4)
    second = page_of(ids, 4, older_than=first.older)
    third = page_of(ids, 4, older_than=second.older)
    assert [first.rows, second.rows, third.rows] == [[20, 18, 16, 14], [12, 10, 8, 6], [4, 2]]
    assert (first.newer, third.older) == (None, None)
    assert page_of(ids, 4, newer_than=third.newer) == second
    # All that is newer is no full page with one more: it is the newest page.
    assert page_of(ids, 4, newer_than=second.newer) == first


def test_page_with_nothing_older_is_empty_and_the_end() -> None:
    """Rows that are gone do not bring the first page again: a program would read it twice."""
    page = page_of(list(range(2, 22, 2)), 4, older_than=(2,))
    assert (page.rows, page.older, page.newer, page.is_past_end) == ([], None, None, True)


def test_page_with_nothing_newer_is_the_newest() -> None:
    ids = list(range(2, 22, 2))
    assert page_of(ids, 4, newer_than=(20,)) == page_of(ids, 4)


def test_exact_page_holds_only_what_is_on_its_side() -> None:
    ids = list(range(2, 22, 2))
    page = page_of(ids, 4, newer_than=(16,), is_exact=True)
    assert (page.rows, page.older, page.newer) == ([20, 18], (18,), None)
    gone = page_of(ids, 4, newer_than=(20,), is_exact=True)
    assert (gone.rows, gone.older, gone.newer) == ([], None, None)


def test_last_page_is_as_short_as_it_is() -> None:
    page = page_of([2, 4, 6], 4, newer_than=(-1,), is_last=True)
    assert (page.rows, page.older, page.newer) == ([6, 4, 2], None, None)
    page = page_of([2, 4, 6], 2, newer_than=(-1,), is_last=True)
    assert (page.rows, page.older, page.newer) == ([4, 2], None, (4,))


def test_look_that_is_broken_off_goes_on_where_it_ended() -> None:
    ids = [*range(3, 23, 2), 2]
    pages, older = [], page_of(ids, 4, 5).older
    while older:
        page = page_of(ids, 4, 5, older_than=older)
        pages.append((page.rows, page.broken_off))
        older = page.older
    assert pages == [([], (3,)), ([2], None)]


@pytest.mark.django_db
def test_sides_of_a_place_are_ordered_from_it_and_leave_it_out() -> None:
    by_id = Order((("pk", number),), led_by=("organisation_id",))
    older = str(by_id.older(AuditEntry.objects.all(), (7,)).query)
    assert 'WHERE "alliance_auditentry"."id" < 7 ORDER BY' in older
    assert older.endswith('"organisation_id" ASC, "alliance_auditentry"."id" DESC')
    newer = str(by_id.newer(AuditEntry.objects.all(), (7,)).query)
    assert newer.endswith('"organisation_id" DESC, "alliance_auditentry"."id" ASC')


def test_rows_equal_in_the_first_column_are_ordered_by_the_next() -> None:
    by_time = Order((("at", moment), ("pk", number)))
    place = (datetime(2026, 2, 28, tzinfo=UTC), 7)
    condition = str(by_time.older(AuditEntry.objects.all(), place).query).partition("WHERE ")[2]
    short_condition = (
        condition.replace('"alliance_auditentry".', "").replace('"', "").partition(" ORDER BY")[0]
    )
    at = "2026-02-28 00:00:00+00:00"
    assert short_condition == f"(at <= {at} AND (at < {at} OR (at = {at} AND id < 7)))"
