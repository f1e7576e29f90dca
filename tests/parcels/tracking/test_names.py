"""Names of couriers, tiers and cities on tracking pages, and their cache."""

import json
import time
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from parcels.tracking import names
from parcels.tracking.names import KNOWN_SECONDS, Names, names_of
from tests.parcels.helpers.parcel_views import some_parcels, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    [parcel] = some_parcels(merchant_organisation, courier_organisation)
    return parcel


def named(parcel: Parcel) -> Names:
    return names_of(
        courier_id=parcel.courier_id,
        tier_id=parcel.tier_id,
        origin_id=parcel.origin_id,
        destination_id=parcel.destination_id,
    )


def test_names_match_the_tables(parcel: Parcel, courier_organisation: Organisation) -> None:
    names = named(parcel)
    assert names.courier == courier_organisation.name
    assert (names.tier.code, names.tier.name_en) == (parcel.tier.code, parcel.tier.name_en)
    for city, tracked_city in ((parcel.origin, names.origin), (parcel.destination, names.destination)):
        assert (tracked_city.code, tracked_city.time_zone, tracked_city.name_en) == (
            city.code,
            city.time_zone,
            city.name_en,
        )
        with translation.override("zh-hans"):
            assert tracked_city.name == city.name_zh


def test_names_are_read_in_one_query_once(parcel: Parcel) -> None:
    with CaptureQueriesContext(connection) as first:
        names = named(parcel)
    assert [query["sql"] for query in first if "FROM alliance_city" in query["sql"]] != []
    with CaptureQueriesContext(connection) as second:
        assert named(parcel) == names
    assert len(second) == 0


def test_new_name_is_shown_after_the_cache_expires(
    parcel: Parcel, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, page = f"/api/v1/tracking/{parcel.number}", f"/track/{parcel.number}/"
    before = client.get(api).json()
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=parcel.courier_id).update(name="Another Name Express")
    assert client.get(api).json() == before
    later = time.monotonic() + KNOWN_SECONDS + 1
    monkeypatch.setattr(names, "time", SimpleNamespace(monotonic=lambda: later))
    assert client.get(api).json() == json.loads(json.dumps(before).replace("Swift", "Another Name"))
    assert "Another Name Express" in text_of(client.get(page))
