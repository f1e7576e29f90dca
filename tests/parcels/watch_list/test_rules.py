"""The rules for which parcels are on the watch list."""

from typing import Any

import pytest
from django.utils import timezone

from slas.choices import Outcome, WatchReason
from slas.commitments.landmarks import Journey
from slas.forecasts.watch_rules import Sighting, reasons_for
from tests.parcels.helpers.watch_list import HOUR

R = WatchReason
NOW = timezone.now()


def sighting(**overrides: Any) -> Sighting:
    """A parcel in transit, due in ten hours and scanned an hour ago; hours are from now."""
    hours = {"booked": -20, "picked_up": -18, "pickup_by": -14, "seen": -1, "due": 10} | {
        name: overrides.pop(name)
        for name in ("booked", "picked_up", "pickup_by", "seen", "due")
        if name in overrides
    }
    at = {name: None if value is None else NOW + value * HOUR for name, value in hours.items()}
    values: dict[str, Any] = {"outcome": Outcome.PENDING, **overrides}
    return Sighting(
        1, 2, 3, 4, 5, 6, Journey(at["booked"], at["picked_up"]), at["booked"], at["pickup_by"], at["seen"],
        at["due"], **values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tier", "values", "reasons"),
    [
        ("next_day", {}, set()),
        # Pickup: not collected; not collected for a day; scanned, but never collected.
        ("next_day", {"picked_up": None, "seen": None, "pickup_by": 1}, set()),
        ("next_day", {"picked_up": None, "seen": None, "pickup_by": -0.1}, {R.DELAYED_DISPATCH}),
        ("next_day", {"picked_up": None, "seen": None, "pickup_by": -24}, {R.DELAYED_DISPATCH}),
        ("next_day", {"picked_up": None, "seen": None, "pickup_by": -24.1}, {R.FORGOTTEN}),
        ("next_day", {"picked_up": None, "seen": -30, "pickup_by": -40}, {R.DELAYED_DISPATCH}),
        ("next_day", {"picked_up": None, "seen": None, "pickup_by": None}, set()),
        # Silence: six hours for same day, a day for the others.
        ("same_day", {"seen": -6}, set()),
        ("same_day", {"seen": -6.1}, {R.SILENT}),
        ("next_day", {"seen": -6.1}, set()),
        ("next_day", {"seen": -24}, set()),
        ("next_day", {"seen": -24.1}, {R.SILENT}),
        ("standard", {"seen": -24.1}, {R.SILENT}),
        # Past the promise, until an attempt.
        ("next_day", {"due": -0.1}, {R.DELAYED}),
        ("next_day", {"due": -0.1, "outcome": Outcome.OVERDUE}, {R.DELAYED}),
        ("next_day", {"due": -0.1, "outcome": Outcome.LATE}, set()),
        ("next_day", {"due": -0.1, "outcome": Outcome.MET}, set()),
        ("next_day", {"due": -24 * 31, "outcome": Outcome.OVERDUE, "seen": -24 * 32}, set()),
        # Contradictory scans, for a week, whatever has become of the parcel.
        ("next_day", {"contradicted_at": NOW - 24 * HOUR}, {R.CONTRADICTION}),
        (
            "next_day",
            {"contradicted_at": NOW - 168 * HOUR, "is_over": True, "outcome": Outcome.MET, "due": -24 * 40},
            {R.CONTRADICTION},
        ),
        ("next_day", {"contradicted_at": NOW, "outcome": Outcome.VOID}, {R.CONTRADICTION}),
        ("next_day", {"contradicted_at": NOW - 168.1 * HOUR, "outcome": Outcome.VOID}, set()),
        # In trouble, before the promise or after.
        ("next_day", {"is_failed": True, "outcome": Outcome.MET}, {R.FAILED_ATTEMPT}),
        ("next_day", {"is_failed": True}, {R.FAILED_ATTEMPT}),
        ("next_day", {"is_held": True, "due": 60}, {R.EXCEPTION}),
        ("next_day", {"is_held": True, "due": -2, "seen": -30}, {R.EXCEPTION, R.DELAYED, R.SILENT}),
        # Nothing more can be done.
        ("next_day", {"is_over": True, "due": -2, "seen": -99, "outcome": Outcome.OVERDUE}, set()),
        ("next_day", {"outcome": Outcome.VOID, "picked_up": None, "pickup_by": -9}, set()),
    ],
)
def test_reasons(tier: str, values: dict[str, Any], reasons: set[WatchReason]) -> None:
    assert set(reasons_for(sighting(**values), None, tier=tier, now=NOW)) == reasons
