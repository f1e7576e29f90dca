"""Homes follow traffic; earlier ones are looked into until their months are gone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from alliance.homes import ALL_HOMES, HOMES
from alliance.identifiers import parcel_id_at
from alliance.models import AuditEntry, Organisation, RetiredMonth
from alliance.small_tables import forget_small_tables
from alliance.tenancy import Actor, Scope, scope
from couriers.homes import queries
from couriers.homes.queries import homes_for_new, homes_to_read, load_by_home
from couriers.homes.rules import DAYS, LEAST_A_DAY
from couriers.homes.services import GRACE, NOTICE, Spread, give_first_home, note_imports, spread_homes
from couriers.models import CourierHome

pytestmark = pytest.mark.django_db
OPS = Actor.system("test")
WEEK = HOMES * DAYS * LEAST_A_DAY


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The time, which `passes()` puts on."""
    # Ids know milliseconds only.
    moment = timezone.now().replace(microsecond=0)
    monkeypatch.setattr(queries.time, "time", lambda: (moment + _passed[0]).timestamp())
    _passed[0] = timedelta()
    return moment


_passed = [timedelta()]


def passes(time: timedelta) -> None:
    _passed[0] += time
    forget_small_tables()


def rows_of(courier: Organisation) -> dict[int | None, datetime | None]:
    with scope(Scope.everything()):
        return dict(CourierHome.objects.filter(courier_id=courier.pk).values_list("home", "until"))


def spread(now: datetime, parcels: dict[int, int] | None = None) -> Spread:
    forget_small_tables()
    return spread_homes(actor=OPS, parcels=parcels or {}, now=now)


def test_a_courier_without_homes_books_and_is_read_everywhere(courier_organisation: Organisation) -> None:
    pk = courier_organisation.pk
    assert homes_for_new([pk]) == {pk: ALL_HOMES}
    assert homes_to_read(pk) == ALL_HOMES


def test_a_courier_from_before_gets_a_home_and_its_earlier_parcels_are_found(
    courier_organisation: Organisation, now: datetime
) -> None:
    pk = courier_organisation.pk
    assert spread(now).changed >= 1
    # The release before books in all homes until it is stopped.
    [(nowhere, until), (home, none)] = sorted(
        rows_of(courier_organisation).items(), key=lambda row: row[0] is not None
    )
    assert (nowhere, until, none) == (None, now + GRACE, None)
    assert homes_for_new([pk]) == {pk: ALL_HOMES}
    passes(NOTICE)
    assert homes_for_new([pk]) == {pk: (home,)}
    assert homes_to_read(pk) == homes_to_read(pk, from_id=parcel_id_at(now)) == ALL_HOMES
    assert homes_to_read(pk, from_id=parcel_id_at(now + GRACE)) == (home,)


def test_a_new_courier_has_one_home_at_once_the_least_loaded(
    courier_organisation: Organisation, rival_courier: Organisation, now: datetime
) -> None:
    with scope(Scope.everything()):
        CourierHome.objects.bulk_create(
            CourierHome(courier_id=rival_courier.pk, home=home, since=now, share_ppm=5)
            for home in range(HOMES)
            if home != 40
        )
        give_first_home(courier_id=courier_organisation.pk, now=now)
        assert load_by_home()[39:41] == [(1, 5), (1, 0)]
    assert homes_for_new([courier_organisation.pk]) == {courier_organisation.pk: (40,)}
    assert homes_to_read(courier_organisation.pk) == (40,)


def test_homes_follow_traffic_both_ways_and_earlier_ones_are_still_read(
    courier_organisation: Organisation, rival_courier: Organisation, now: datetime
) -> None:
    pk = courier_organisation.pk
    with scope(Scope.everything()):
        for courier in (courier_organisation, rival_courier):
            give_first_home(courier_id=courier.pk, now=now)
    [first] = homes_for_new([pk])[pk]
    assert homes_for_new([rival_courier.pk]) != {rival_courier.pk: (first,)}
    # A quarter of all parcels is sixteen homes; nobody books there before all know of it.
    traffic = {pk: WEEK // 4, rival_courier.pk: 3 * WEEK // 4}
    assert spread(now, traffic).changed == 2
    assert homes_for_new([pk])[pk] == (first,)
    assert len(homes_to_read(pk)) == 16
    passes(NOTICE)
    grown = homes_for_new([pk])[pk]
    assert len(grown) == 16
    assert first in grown
    assert not {*grown} & {*homes_for_new([rival_courier.pk])[rival_courier.pk]}
    assert spread(now + NOTICE, traffic).changed == 0
    # It shrinks to one: the others end, and are read for parcels from before that.
    later = now + timedelta(days=40)
    passes(later - now - NOTICE)
    assert spread(later, {pk: WEEK // 100, rival_courier.pk: WEEK}).changed == 2
    assert homes_for_new([pk])[pk] == grown
    passes(NOTICE)
    [left] = homes_for_new([pk])[pk]
    assert left in grown
    assert homes_to_read(pk) == homes_to_read(pk, from_id=parcel_id_at(later)) == grown
    assert homes_to_read(pk, from_id=parcel_id_at(later + NOTICE)) == (left,)
    # And grows again: rows are opened again.
    assert spread(later + NOTICE, traffic).changed == 2
    assert len(rows_of(courier_organisation)) >= 16
    entries = AuditEntry.objects.filter(verb="courier.homes_changed", object_id=str(pk)).order_by("pk")
    with scope(Scope.everything()):
        assert [(len(entry.detail["earlier"]), len(entry.detail["homes"])) for entry in entries] == [
            (1, 16), (16, 1), (1, 16),
        ]  # fmt: skip


def test_a_home_is_forgotten_when_its_months_are(courier_organisation: Organisation, now: datetime) -> None:
    pk = courier_organisation.pk
    ended = datetime(2024, 3, 10, tzinfo=UTC)
    with scope(Scope.everything()):
        CourierHome.objects.create(courier_id=pk, home=None, since=ended, until=ended)
        CourierHome.objects.create(courier_id=pk, home=3, since=ended, until=ended + timedelta(days=30))
        CourierHome.objects.create(courier_id=pk, home=4, since=ended)
        RetiredMonth.objects.create(month=date(2024, 2, 1), state="gone", folder="2024-02", label="test")
    assert spread(now).forgotten == 0
    with scope(Scope.everything()):
        RetiredMonth.objects.create(month=date(2024, 3, 1), state="gone", folder="2024-03", label="test")
    assert spread(now).forgotten == 1
    assert homes_to_read(pk) == (3, 4)


def test_imported_history_is_looked_for_in_all_homes(
    courier_organisation: Organisation, rival_courier: Organisation, now: datetime
) -> None:
    with scope(Scope.everything()):
        give_first_home(courier_id=courier_organisation.pk, now=now)
        for _run in range(2):
            note_imports(courier_ids={courier_organisation.pk, rival_courier.pk}, now=now)
    assert homes_to_read(courier_organisation.pk) == ALL_HOMES
    assert len(homes_to_read(courier_organisation.pk, from_id=parcel_id_at(now + GRACE))) == 1
    # One that had none is as before.
    assert rows_of(rival_courier) == {}


def test_whoever_is_second_finds_the_homes_being_spread(now: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr("couriers.homes.services.try_to_take", lambda lock: False)
    assert spread(now) == Spread(busy=True)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"home": 64}, "courier_home_is_one"),
        ({"home": -1}, "courier_home_is_one"),
        ({"home": None}, "courier_home_of_all_ends"),
        ({"home": 1, "share_ppm": 1_000_001}, "courier_home_share"),
    ],
)
def test_the_database_refuses_what_is_no_home(
    courier_organisation: Organisation, now: datetime, values: dict[str, Any], name: str
) -> None:
    with scope(Scope.everything()), pytest.raises(IntegrityError, match=name), transaction.atomic():
        CourierHome.objects.create(courier_id=courier_organisation.pk, since=now, **values)


@pytest.mark.parametrize("home", [None, 5])
def test_a_courier_has_a_home_once(
    courier_organisation: Organisation, now: datetime, home: int | None
) -> None:
    values = {"courier_id": courier_organisation.pk, "since": now, "until": now, "home": home}
    with scope(Scope.everything()):
        CourierHome.objects.create(**values)
        with pytest.raises(IntegrityError, match="courier_home_once"), transaction.atomic():
            CourierHome.objects.create(**values)


def test_members_see_no_homes(courier_organisation: Organisation, now: datetime) -> None:
    with scope(Scope.everything()):
        give_first_home(courier_id=courier_organisation.pk, now=now)
    with scope(Scope.courier(courier_organisation.pk)):
        assert not CourierHome.objects.exists()
        # Yet what is booked and read goes by them.
        assert len(homes_for_new([courier_organisation.pk])[courier_organisation.pk]) == 1
        assert not CourierHome.objects.exists()
