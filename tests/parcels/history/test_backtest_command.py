"""`manage.py backtest`: real rows in, tables or figures out, and clear refusals."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from tests.parcels.helpers.parcels import booked_parcels

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("backtest", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def delivered(merchant_organisation: Organisation, courier_organisation: Organisation) -> None:
    """Five days of parcels, ten a day; each day's last two came an hour late."""
    for day in range(2, 7):
        noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)
        due_at = noon - timedelta(days=day)
        parcels = booked_parcels(
            merchant_organisation, courier_organisation, booked_at=due_at - timedelta(hours=30), count=10
        )
        lines = []
        for number, parcel in enumerate(parcels):
            at = due_at + timedelta(hours=1 if number > 7 else -1.5)
            lines += [
                ScanLine(parcel.number, "picked_up", parcel.booked_at + timedelta(hours=2)),
                ScanLine(parcel.number, "delivered", at),
            ]
        with scope(Scope.everything()):
            report = record_scans(actor=Actor.system("test"), lines=lines, now=timezone.now())
        assert report.rejections == []


@pytest.mark.usefixtures("delivered")
def test_figures_of_what_came() -> None:
    found: dict[str, Any] = json.loads(said("--json", "--days", "4"))
    ours = found["methods"]["time_left"]
    hour = ours["moments"]["1 h before"]
    # Of those still out an hour before, all were late, and all known days had said so.
    assert (hour["n"], hour["late"], hour["brier"]) == (6, 6, 0.0)
    assert ours["moments"]["2 h before"]["base_rate"] == 0.2
    assert set(found["methods"]) == {"time_left", "durations"}
    assert sum(band["n"] for band in ours["calibration"]) == ours["n"]


@pytest.mark.usefixtures("delivered")
def test_tables_of_the_same() -> None:
    text = said("--days", "4")
    assert "## time_left" in text
    assert "| 1 h before | 6 | 100.0% | 0.0000 |" in text
    assert "| 90-100 % | 6 |" in text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--days", "0"], "from 1 to 366"),
        (["--until", f"{timezone.localdate():%Y-%m-%d}"], "a day that is over"),
        ([], "Nothing that fell due"),
    ],
)
def test_what_cannot_be_replayed_is_said(arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        said(*arguments)
