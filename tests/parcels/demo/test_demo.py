"""The demo alliance: made through the services, and coherent."""

import logging
import runpy
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from gunicorn.arbiter import Arbiter

from alliance.demo_logins import DEMO_LOGINS, is_loopback
from alliance.demo_progress import DEMO
from alliance.health import note_heartbeat
from alliance.management.commands import up
from alliance.models import Heartbeat, Organisation, User
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.choices import PickupStage, ScanCode
from parcels.demo.journeys import Itinerary, journey
from parcels.management.commands import demo
from parcels.models import Pickup
from parcels.pickups.queries import views_of
from slas.audits.rates import run_audit

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PLAN = Itinerary(
    number="CA0000000000000X",
    ready_at=NOON,
    pickup_by=NOON + timedelta(hours=3),
    deliver_by=NOON + timedelta(hours=28),
    origin="CN-HGH depot",
    destination="CN-CTU depot",
    punctual=0.9,
)


def test_a_journey_is_the_same_for_the_same_seed() -> None:
    assert journey(PLAN, Random(7)) == journey(PLAN, Random(7))
    assert journey(PLAN, Random(7)) != journey(PLAN, Random(8))


def test_journeys_come_late_twice_and_taken_back() -> None:
    random = Random(1)
    journeys = [journey(PLAN, random) for _number in range(800)]
    sent = [scan for scans in journeys for scan in scans]
    assert any(scan.at - scan.line.occurred_at > timedelta(hours=5) for scan in sent)
    assert any(len(scans) > len({scan.line.event_id for scan in scans}) for scans in journeys)
    corrections = [scan.line for scan in sent if scan.line.code == ScanCode.CORRECTION]
    assert corrections
    assert all(line.corrects for line in corrections)


def test_a_courier_is_as_punctual_as_it_is_cast() -> None:
    random = Random(1)
    late = 0
    for _number in range(1_000):
        attempts = [
            scan.line.occurred_at
            for scan in journey(PLAN, random)
            if scan.line.code in (ScanCode.DELIVERED, ScanCode.ATTEMPT_FAILED)
        ]
        late += bool(attempts) and min(attempts) > PLAN.deliver_by
    # 0.9 of the parcels are on time; 100 late in 1,000, give or take three standard deviations.
    assert 70 <= late <= 130


@pytest.mark.django_db
def test_demo_is_coherent_and_loaded_once(
    capsys: pytest.CaptureFixture[str], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    # The owner would see nothing of this test's transaction.
    monkeypatch.setattr(demo, "analyze", lambda: None)
    call_command("demo", days=2)
    assert "2 of 2" in capsys.readouterr().out
    with scope(Scope.everything()):
        report = run_audit(actor=Actor.system("test"))
        assert not report.cells
        assert not report.breaches
        [(parcels, merchants, couriers)] = raw_rows(
            "SELECT count(*), count(DISTINCT merchant_id), count(DISTINCT courier_id) FROM parcels_parcel"
        )
        # Just after midnight the second day has hardly begun.
        assert parcels > 200
        assert merchants > 20
        assert couriers == 8
        assert raw_rows("SELECT 1 FROM parcels_scan WHERE received_at < occurred_at") == []
        # The running month, provisional, of whoever was judged by now; the two days may lie in two months.
        [(scored, frozen, positive)] = raw_rows(
            "SELECT count(DISTINCT courier_id), count(frozen_at), min(score) > 0 FROM slas_scorecard"
            " WHERE n > 0"
        )
        assert 1 <= scored <= 8
        assert (frozen, positive) == (0, True)
        # Other days agreed on, and a file of each format for both demo log-ins.
        asked = raw_rows("SELECT requested_by, count(*) > 0 FROM slas_revision GROUP BY 1 ORDER BY 1")
        assert asked == [("merchant", True), ("recipient", True)]
        assert raw_rows(
            "SELECT format, count(*) FROM slas_export WHERE state = 'done' GROUP BY 1 ORDER BY 1"
        ) == [
            ("csv", 2),
            ("parquet", 2),
        ]
        # A courier's day: requests at each stage, and a list that was handed over without one parcel.
        now = timezone.now()
        stages = {view.stage for view in views_of(Pickup.objects.all(), now)}
        assert {PickupStage.MISSED, PickupStage.ACCEPTED} <= stages
        assert [*Pickup.objects.filter(missed__gt=0).values_list("missed", flat=True)] == [3]
        manifests = raw_rows("SELECT state, jsonb_array_length(missing) FROM parcels_manifest ORDER BY id")
        assert manifests == [("handed_over", 1), ("open", 0)]
        states = raw_rows("SELECT state, count(*) FROM couriers_application GROUP BY 1 ORDER BY 1")
        assert states == [("approved", 8), ("draft", 1), ("submitted", 1)]
    assert Heartbeat.objects.get(name="demo").detail == {"whole": True}
    with pytest.raises(CommandError, match="make reset"):
        call_command("demo", days=2)


@pytest.mark.django_db
def test_demo_is_loaded_beside_nobody_real(ops_user: User) -> None:
    User.objects.filter(pk=ops_user.pk).update(email="boss@company.example")
    with pytest.raises(CommandError, match="into an empty database only"):
        call_command("demo", days=2)
    assert not up.Command()._demo_is_due(None)
    assert not User.objects.filter(email__endswith="@alliance.example").exists()


@pytest.mark.django_db
def test_demo_stays_on_this_machine(settings: Any) -> None:
    settings.PUBLIC_URL = "https://alliance.company.example"
    with pytest.raises(CommandError, match="passwords are public"):
        call_command("demo", days=2)


@pytest.mark.parametrize(
    ("host", "is_private"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("no.such.host.invalid", False),
    ],
)
def test_only_a_loopback_address_is_this_machine(host: str, *, is_private: bool) -> None:
    assert is_loopback(host) is is_private


@pytest.mark.django_db
def test_the_first_start_loads_no_demo_beside_organisations_that_are_there(
    merchant_organisation: Organisation,
) -> None:
    assert not up.Command()._demo_is_due(None)


@pytest.fixture
def start_gunicorn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Run what gunicorn runs in a new worker that listens at these addresses, and at a socket."""
    before = sys.getswitchinterval()
    # The test's transaction goes on.
    monkeypatch.setattr(connection, "close", lambda: None)

    def start(*hosts: str) -> None:
        addresses = [*((host, 8000) for host in hosts), "/run/web.sock"]
        worker = SimpleNamespace(cfg=SimpleNamespace(address=addresses), log=logging.getLogger())
        runpy.run_path("gunicorn.conf.py")["post_worker_init"](worker)

    yield start
    sys.setswitchinterval(before)


@pytest.mark.django_db
def test_servers_started_by_hand_serve_a_demo_to_this_machine_only(
    start_gunicorn: Callable[..., None], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    start_gunicorn("0.0.0.0")
    note_heartbeat(DEMO, whole=True)
    start_gunicorn("127.0.0.1", "::1")
    with pytest.raises(SystemExit) as stopped:
        start_gunicorn("127.0.0.1", "0.0.0.0")
    assert stopped.value.code == Arbiter.APP_LOAD_ERROR
    assert "PUBLIC_DEMO" in caplog.text
    with pytest.raises(CommandError, match="PUBLIC_DEMO"):
        call_command("runserver", "0.0.0.0:1", use_reloader=False)
    settings.PUBLIC_DEMO = True
    start_gunicorn("0.0.0.0")


def test_demo_logins_are_of_the_three_doors() -> None:
    assert [login.role for login in DEMO_LOGINS] == ["ops", "courier", "merchant", "service"]
