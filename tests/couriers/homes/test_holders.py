"""Which couriers send new parcels to which homes, as `manage.py shards` shows it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from alliance.database.distribution.holders import Holder, holders, in_words, nodes_of
from alliance.database.distribution.shards import Shard
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from couriers.homes.models import CourierHome


@pytest.mark.parametrize(
    ("homes", "words"),
    [
        ((), "all"),
        ((3,), "3"),
        ((3, 4), "3-4"),
        ((0, 2, 3, 4, 9, 10, 63), "0, 2-4, 9-10, 63"),
    ],
)
def test_homes_are_told_in_ranges(homes: tuple[int, ...], words: str) -> None:
    assert in_words(homes) == words


def test_nodes_are_those_of_the_homes() -> None:
    shards = [Shard(1, 0, 31, "a:1", 0, 0), Shard(2, 32, 63, "b:1", 0, 0)]
    assert nodes_of(Holder("Swift", (4, 17), 0), shards) == ["a:1"]
    assert nodes_of(Holder("Swift", (31, 32), 0), shards) == ["a:1", "b:1"]
    assert nodes_of(Holder("Swift", (), 0), shards) == ["a:1", "b:1"]


@pytest.mark.django_db
def test_couriers_are_found_by_name_with_homes_that_have_not_ended(
    courier_organisation: Organisation, rival_courier: Organisation
) -> None:
    now = timezone.now()
    ended = now - timedelta(hours=1)
    with scope(Scope.everything()):
        CourierHome.objects.all().delete()
        for home, until, share in ((17, None, 3), (3, None, 4), (5, ended, 0)):
            CourierHome.objects.create(
                courier_id=courier_organisation.pk, home=home, since=ended, until=until, share_ppm=share
            )
        assert holders(courier_organisation.name.upper()) == [Holder(courier_organisation.name, [3, 17], 7)]
        assert holders(rival_courier.name) == [Holder(rival_courier.name, [], 0)]
        assert [holder.share_ppm for holder in holders()] == [7, 0]
