"""Fixtures of the SLA tests: one lane with promises, and the staff."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from slas.rates.services.folding import fold_tallies
from slas.scorecards.rules import month_after
from slas.scorecards.services.scorecards import refresh_scorecards
from tests import factories
from tests.slas.helpers import commitments, exports
from tests.slas.helpers.revisions import EVENING
from tests.slas.helpers.scorecards import GOLD, OLD, SILVER, THIS, count, final_night, on


@pytest.fixture
def lane(merchant_organisation: Organisation, courier_organisation: Organisation) -> commitments.Lane:
    return commitments.lane(merchant_organisation, courier_organisation)


@pytest.fixture
def staff_client(db: None) -> Client:
    """Ops staff without a superuser's rights."""
    client = Client()
    client.force_login(
        factories.staff_user("staff@alliance.example"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    """A separate folder for uploaded and written files."""
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


@pytest.fixture
def promised(lane: commitments.Lane, everything: None) -> list[int]:
    """Twenty deliveries: on time, late, and open."""
    parcels = exports.some_promises(lane)
    fold_tallies()
    return parcels


@pytest.fixture
def parcel_id(lane: commitments.Lane) -> int:
    """A delivery promised for 20:00 tonight."""
    with scope(Scope.everything()):
        return lane.promise(EVENING)


@pytest.fixture
def swift(courier_organisation: Organisation) -> Organisation:
    return courier_organisation


@pytest.fixture
def scored(swift: Organisation, rival_courier: Organisation) -> Organisation:
    """Three months of Swift: silver and final, gold and final (the rival is better), and the running one."""
    pickups = {"met": 970, "late": 30}
    count(swift, OLD, SILVER, pickups=pickups)
    count(swift, month_after(OLD), GOLD, pickups=pickups)
    count(rival_courier, month_after(OLD), GOLD, pickups={"met": 1_000})
    count(swift, THIS, {**SILVER, "met": 40, "late": 10, "excused": 2}, over_a_day=1)
    for night in (final_night(OLD), final_night(month_after(OLD)), on(THIS.replace(day=20))):
        refresh_scorecards(now=night)
    return swift
