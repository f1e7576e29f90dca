"""What reads send to the workers."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from alliance.database.cluster import missing_workers
from alliance.homes import home_of
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.homes import lists
from couriers.homes.lists import at_homes
from parcels.models import Parcel
from parcels.tracking.queries import look_up
from slas.models import Commitment
from tests.parcels.helpers.parcels import booked_parcels

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def parcels(merchant_organisation: Organisation, courier_organisation: Organisation) -> list[Parcel]:
    booked_at = timezone.now() - timedelta(hours=1)
    return booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at, count=20)


def test_tracking_is_one_message(parcels: list[Parcel], sent: Callable[..., list[str]]) -> None:
    [command] = sent(lambda: look_up(parcels[0].pk, now=timezone.now()))
    assert command.startswith("SELECT")


def test_courier_list_asks_its_home_alone(
    courier: Actor, parcels: list[Parcel], sent: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_of(parcels[0].pk)
    there = {parcel.pk for parcel in parcels if home_of(parcel.pk) == home}
    monkeypatch.setattr(lists, "homes_to_read", lambda courier_id: (home,))
    found: list[set[int]] = []

    def read() -> None:
        with scope(Scope.of(courier)):
            listed = Parcel.objects.visible_to(courier).order_by("-pk")
            found.append({parcel.pk for parcel in at_homes(listed, most=50)[:50]})
            promised = Commitment.objects.visible_to(courier).order_by("-due_at", "-parcel_id", "-kind")
            assert {row.parcel_id for row in at_homes(promised, most=99)[:99]} == found[-1]

    commands = [command.split(maxsplit=1)[0] for command in sent(read)]
    # The parcels of the home, which is a part of the shard: all that the shard has are found.
    assert there <= found[-1] < {parcel.pk for parcel in parcels}
    assert commands.count("BEGIN") == 1
    assert commands.count("SELECT") == 4


def test_all_workers_answer() -> None:
    assert missing_workers() == []
