"""What reads send to the workers."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.utils import timezone

from alliance.database.cluster import missing_workers
from alliance.errors import TooMany
from alliance.homes import home_of
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.homes import lists
from couriers.homes.lists import at_homes
from parcels.models import Parcel
from parcels.tracking.queries import look_up
from slas.exports.reading import read_page
from slas.models import Commitment, Export
from tests.citus import servers
from tests.parcels.helpers.bookings import booked
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.offers import offer, today_at

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


def test_export_is_read_shard_by_shard_in_the_order_of_booking(
    merchant: Actor, parcels: list[Parcel], sent: Callable[..., list[str]]
) -> None:
    today = timezone.localdate()
    export = Export(content="commitments", first=today, last=today + timedelta(days=30))
    sizes: list[int] = []
    found: list[tuple[int, str]] = []

    def read() -> None:
        position = ""
        sizes.clear()
        found.clear()
        while position or not sizes:
            with scope(Scope.of(merchant)):
                page = read_page(export, merchant, position=position, limit=8)
            position = page.position
            sizes.append(len(page.lines))
            found.extend((line.row.parcel_id, line.row.kind) for line in page.lines)

    commands = [command for command in sent(read) if command.startswith("SELECT")]
    assert found == sorted(found)
    assert {parcel_id for parcel_id, _kind in found} == {parcel.pk for parcel in parcels}
    assert len(sizes) > 1
    assert max(sizes) <= 8
    # Where the oldest is, all are asked; then one shard a statement, for two rows of its own.
    assert sum("slas_commitment" in command for command in commands) <= servers.SHARDS * (2 * len(sizes) + 1)


def test_new_merchant_is_counted_in_all_shards_at_first_and_at_its_limit_only(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
    sent: Callable[..., list[str]],
    settings: LazySettings,
) -> None:
    settings.NEW_MERCHANT_PARCELS = 4
    noon = today_at(12)
    offer(courier_organisation, hangzhou, chengdu)
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=merchant_organisation.pk).update(created_at=noon - timedelta(days=1))

    def counts(work: Callable[[], object]) -> int:
        return sum("count(*)" in command for command in sent(work))

    # Each is booked twice.
    assert counts(lambda: booked(merchant, hangzhou, chengdu, at=noon)) == 0
    cache.clear()
    with pytest.raises(TooMany):
        counts(lambda: [booked(merchant, hangzhou, chengdu, at=noon) for _time in range(3)])
    with scope(Scope.everything()):
        assert Parcel.objects.filter(merchant_id=merchant.tenant_id).count() == 4


def test_all_workers_answer() -> None:
    assert missing_workers() == []


def test_workers_answer_in_text() -> None:
    assert raw_rows("SHOW citus.enable_binary_protocol") == [("off",)]


def test_workers_keep_the_hours_of_utc() -> None:
    zone = "SELECT result FROM run_command_on_workers('SHOW timezone')"
    assert raw_rows(zone) == [("UTC",), ("UTC",)]
