"""A page's cities, tiers and parties are read once for all its rows."""

from collections.abc import Callable
from typing import Any

import pytest

from alliance.tenancy import Actor, Scope, scope
from slas.listed import LANE, with_names
from slas.models import BreachListing, Commitment
from tests.slas.helpers.commitments import HOUR, Lane
from tests.slas.helpers.records import YESTERDAY, promise

pytestmark = pytest.mark.django_db


@pytest.fixture
def breaches(lane: Lane) -> list[int]:
    with scope(Scope.everything()):
        return [promise(lane, YESTERDAY, late=HOUR) for _number in range(3)]


def _named(row: Any) -> tuple[str, ...]:
    names = (row.merchant.name, row.courier.organisation.name, row.tier.name)
    return (*names, row.origin.name, row.destination.name, row.destination.time_zone)


def test_rows_have_the_names_that_their_keys_lead_to(
    breaches: list[int], courier: Actor, django_assert_num_queries: Callable[[int], Any]
) -> None:
    rows = BreachListing.objects.filter(parcel_id__in=breaches).order_by("key")
    with scope(Scope.of(courier)):
        expected = [_named(row) for row in rows]
        with_names(rows)
        # The page and its parties; cities and tiers are known by now.
        with django_assert_num_queries(2):
            assert [_named(row) for row in with_names(rows.all())] == expected
    assert len(expected) == 3


def test_only_what_is_asked_for_is_read(
    breaches: list[int], courier: Actor, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with scope(Scope.of(courier)):
        rows = list(Commitment.objects.filter(parcel_id__in=breaches))
        with_names(rows, names=LANE)
        with django_assert_num_queries(0):
            assert with_names(rows, names=LANE) == rows
            assert {row.tier.code for row in rows} == {"next_day"}


def test_whatever_else_a_company_has_is_read_when_asked_for(breaches: list[int], courier: Actor) -> None:
    with scope(Scope.of(courier)):
        [row, *_others] = with_names(BreachListing.objects.filter(parcel_id__in=breaches))
        assert row.courier.get_deferred_fields()
        assert row.courier.legal_name == type(row.courier).objects.get().legal_name


def test_rows_of_somebody_who_cannot_be_seen_are_left_out(
    breaches: list[int], rival_courier: Any, courier: Actor
) -> None:
    with scope(Scope.everything()):
        rows = list(BreachListing.objects.filter(parcel_id__in=breaches))
    rows[0].merchant_id = 0
    with scope(Scope.of(courier)):
        assert with_names(rows) == rows[1:]
        assert with_names([]) == []
