"""Claims and decisions on a cluster: each on its parcel's worker, also while another one is away."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.errors import Conflict
from alliance.identifiers import tracking_number
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.excuses.services.decisions import excuse_breaches
from slas.excuses.services.disruptions import (
    Area,
    Cause,
    Period,
    declare_disruption,
    propose_excuses,
    withdraw_disruption,
)
from slas.models import Commitment, Disruption, Excuse
from tests.citus import servers
from tests.factories import pk_of
from tests.slas.helpers import commitments
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, Lane, assert_books_agree
from tests.slas.helpers.excuses import decided, states

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/excuses"


@pytest.fixture
def lane(merchant_organisation: Organisation, courier_organisation: Organisation) -> Lane:
    return commitments.lane(merchant_organisation, courier_organisation)


@pytest.fixture
def late(lane: Lane) -> tuple[int, int]:
    """Two parcels delivered late, on two workers."""
    now = timezone.now()
    with scope(Scope.everything()):
        parcels = [lane.promise(now - 2 * HOUR) for _number in range(20)]
        for parcel_id in parcels:
            commitments.reach(parcel_id, now - HOUR, now=now)
    first = parcels[0]
    other = next(each for each in parcels if servers.node_of(_database(), each) != _node(first))
    return first, other


def _database() -> str:
    return str(connection.settings_dict["NAME"])


def _node(parcel_id: int) -> str:
    return servers.node_of(_database(), parcel_id)


@contextmanager
def away(parcel_id: int) -> Iterator[None]:
    """Have nobody reach the worker of a parcel."""
    connection.close()
    with servers.away(_database(), node=_node(parcel_id)):
        yield
        connection.close()


def claim(parcel_id: int) -> dict[str, str]:
    return {"tracking_number": tracking_number(parcel_id), "kind": "delivery", "reason": "weather"}


def test_what_is_of_other_workers_goes_on(
    late: tuple[int, int], courier_api: APIClient, ops_client: Client, courier_client: Client
) -> None:
    there, gone = late
    for client in (courier_api, ops_client, courier_client):
        client.raise_request_exception = False
    with away(gone):
        refused = courier_api.post(URL, claim(gone), "json")
        assert (refused.status_code, "Retry-After" in refused) == (503, True)
        made = courier_api.post(URL, claim(there), "json").json()
        # By its id alone, which says not on which worker it is.
        assert courier_api.post(f"{URL}/{made['id']}/withdraw").json()["state"] == "withdrawn"
        again = courier_api.post(URL, claim(there), "json").json()
        claimed = pk_of(again["id"])
        for address in ("/dashboard/", "/rates/", f"/excuses/{claimed}/withdraw/"):
            assert courier_client.get(address).status_code == 200, address
        for address in (f"{claimed}/change/", f"?q={again['tracking_number']}"):
            assert ops_client.get(f"/admin/slas/excuse/{address}").status_code == 200, address
        chosen = ops_client.get(f"/admin/slas/excuse/{claimed}/decide-one/")["Location"]
        newest = ops_client.get(chosen).context["form"].initial["newest"]
        decision = {"decision": "grant", "note": "", "newest": newest}
        assert ops_client.post(chosen, decision).status_code == 302
        # All of them, or one that nobody can find.
        for address in ("", f"{claimed + 999}/change/"):
            assert ops_client.get(f"/admin/slas/excuse/{address}").status_code == 503, address
    assert courier_api.post(URL, claim(gone), "json").status_code == 201
    with scope(Scope.everything()):
        assert states() == [(state, "courier", "weather") for state in ("withdrawn", "granted", "claimed")]
        assert Commitment.objects.get(parcel_id=there).excused
        assert_books_agree()


def test_what_has_a_copy_on_every_node_is_read_and_changes_of_it_wait(
    late: tuple[int, int], ops_client: Client, storm: Disruption
) -> None:
    ops_client.raise_request_exception = False
    page, now = f"/admin/slas/disruption/{storm.pk}", timezone.localtime()
    event = {
        "name": "Flood", "reason": "disaster", "country": "CN", "recovery_hours": 24,
        "starts_at": f"{now:%Y-%m-%dT%H:%M}", "ends_at": f"{now + DAY:%Y-%m-%dT%H:%M}",
    }  # fmt: skip
    closure = {"name": "Flood", "first": f"{now + 9 * DAY:%Y-%m-%d}", "country": "CN", "side": "both"}
    changes = (
        ("/admin/slas/disruption/add/", event),
        ("/admin/slas/closure/add/", closure),
        (f"{page}/delete/", {"post": "yes"}),
    )
    with away(late[0]):
        for address in ("/admin/", "/admin/slas/disruption/", f"{page}/change/", "/admin/slas/closure/"):
            assert ops_client.get(address).status_code == 200, address
        for address, data in changes:
            refused = ops_client.post(address, data)
            assert (refused.status_code, "Retry-After" in refused) == (503, True), address
            assert "Nothing was changed" in refused.content.decode()
    for address, data in changes:
        assert ops_client.post(address, data).status_code == 302, address


@pytest.fixture
def storm(chengdu: City, system: Actor) -> Disruption:
    now = timezone.now()
    with scope(Scope.everything()):
        return declare_disruption(
            actor=system,
            name="Typhoon",
            reason="weather",
            area=Area(city=chengdu),
            period=Period(now - DAY, now + DAY),
            # After the parcels were booked, whatever the hour of this test is.
            declared_at=max(now, NOON + HOUR),
        )


def test_a_proposal_over_all_workers_is_granted_whole(
    late: tuple[int, int], storm: Disruption, system: Actor
) -> None:
    with scope(Scope.everything()):
        cause = Cause.of_disruption(storm)
        assert propose_excuses(actor=system, cause=cause, grant=True) == (20, 20)
        assert propose_excuses(actor=system, cause=cause) == (0, 0)
        assert states() == [("granted", "event", "weather")] * 20
        assert not Commitment.objects.filter(excused=False).exists()
        with pytest.raises(Conflict):
            withdraw_disruption(actor=system, disruption_id=storm.pk)
    with scope(Scope.everything()):
        assert decided(system, Excuse.objects.all(), "revoke").decided == 20
        assert_books_agree()


def test_breaches_of_all_workers_are_excused_directly(late: tuple[int, int], system: Actor) -> None:
    with scope(Scope.everything()):
        keys = [(parcel_id, DELIVERY) for parcel_id in late]
        assert excuse_breaches(actor=system, keys=keys, reason="weather").excused == 2
        assert excuse_breaches(actor=system, keys=keys, reason="weather").already == 2
        assert_books_agree()
