"""`manage.py backtest`: tables, JSON and refusals."""

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


def output_of(*arguments: str) -> str:
    out = StringIO()
    call_command("backtest", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def delivered(merchant_organisation: Organisation, courier_organisation: Organisation) -> None:
    """Five days of parcels, ten per day; each day's last two arrived an hour late."""
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
def test_json_has_the_scores() -> None:
    report: dict[str, Any] = json.loads(output_of("--json", "--days", "4"))
    ours = report["methods"]["time_left"]
    hour = ours["moments"]["1 h before"]
    # All parcels not delivered an hour before were late, as on all earlier days.
    assert (hour["n"], hour["late"], hour["brier"]) == (6, 6, 0.0)
    assert ours["moments"]["2 h before"]["base_rate"] == 0.2
    assert set(report["methods"]) == {"time_left", "durations"}
    assert sum(band["n"] for band in ours["calibration"]) == ours["n"]


@pytest.mark.usefixtures("delivered")
def test_text_has_the_tables() -> None:
    text = output_of("--days", "4")
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
def test_invalid_periods_are_refused(arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        output_of(*arguments)
