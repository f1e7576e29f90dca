"""The running product for hostile clients: gunicorn as shipped, on the tests' database, with people in it.

Statements are given two seconds where production gives twenty: what would be a slow query fails its test.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.db import connections
from django.test import TransactionTestCase
from django.utils import timezone

from alliance.capabilities import KEY_SCOPES
from alliance.members.services.actors import actor_of_organisation
from alliance.members.services.api_keys import create_api_key
from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from tests import factories
from tests.chaos import programs, stage
from tests.hostile.target import PATIENCE, Target
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.offers import offer

LIMITS = {
    # Hostile clients are many, and one here.
    "API_RATE_PER_MINUTE": "1000000",
    "TRACKING_RATE_PER_MINUTE": "1000000",
    "WEB_STATEMENT_SECONDS": "2",
    "WEB_SLOW_REQUEST_SECONDS": "1",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the product runs: what its processes are told, and their folder."""

    environment: dict[str, str]
    folder: Path


@pytest.fixture(scope="module")
def place(
    django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("hostile")
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        try:
            with stage.own_valkey(folder) as redis_url:
                media = {"MEDIA_ROOT": str(folder / "media")}
                yield Place({**stage.environment(redis_url), **LIMITS, **media}, folder)
        finally:
            TransactionTestCase._fixture_teardown(None)  # type: ignore[arg-type]
            connections.close_all()


@pytest.fixture(scope="module")
def target(place: Place) -> Iterator[Target]:
    port = programs.free_port()
    with programs.running([programs.web(place.environment, place.folder, port)]):
        _wait_for(port)
        yield _populated(port)


@pytest.fixture(scope="module")
def worker(place: Place, target: Target) -> Iterator[None]:
    """Who does what the target puts off: only files need that."""
    with programs.running([programs.worker("worker", place.environment, place.folder)]):
        yield


def _wait_for(port: int) -> None:
    # Whole imports, perhaps on a busy machine.
    deadline = time.monotonic() + 3 * PATIENCE
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()


def _populated(port: int) -> Target:
    merchant = factories.merchant_organisation("Lotus Tea")
    courier, rival = map(factories.courier_organisation, ("Swift Express", "Rival Logistics"))
    ends = list(City.objects.filter(code__in=("CN-HGH", "CN-CTU")))
    for origin in ends:
        offer(courier, origin, ends[0], daily_capacity=1_000_000)
        offer(courier, origin, ends[1], daily_capacity=1_000_000)
    at = timezone.now() - timedelta(days=2)
    numbers = [booked_parcels(merchant, carrier, booked_at=at)[0].number for carrier in (courier, rival)]
    return Target(port, _key(courier), _key(merchant), *numbers, booked_at=at)


def _key(organisation: Organisation) -> str:
    actor = actor_of_organisation(organisation, kind="user", label="hostile")
    with scope(Scope.of(actor)):
        return create_api_key(actor=actor, name="hostile", scopes=KEY_SCOPES & actor.capabilities)[1]
