"""Credits of lateness and loss, against a readable table and an independent calculation."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.identifiers import EPOCH, new_parcel_id
from slas.choices import CreditCause, ExcuseReason, Outcome
from slas.credits.rules import (
    EXCUSES_LOSS,
    Band,
    Credit,
    Schedule,
    Schedules,
    bands_from,
    cause_of_change,
    check_bands,
    credit_for,
)

DUE = datetime(2026, 11, 2, 12, tzinfo=UTC)
# 20 % at once, half after a day, all of it after three; at most 30 yuan; 200 for a lost one.
NEXT_DAY = Schedule(1, (Band(0, 20), Band(1440, 50), Band(4320, 100)), 3_000, 20_000)


@dataclass
class Fate:
    """The state of a delivery."""

    outcome: str = Outcome.LATE
    due_at: datetime = DUE
    reached_at: datetime | None = None
    excused: bool = False
    excuse_reason: str = ""
    fee_fen: int | None = 1_000
    declared_value_fen: int | None = None
    lost_at: datetime | None = None
    delivered_at: datetime | None = None


def hours(text: str) -> timedelta:
    """ "1:30" is an hour and a half, "72:00" three days; "0" is none."""
    whole, _, minutes = text.partition(":")
    return timedelta(hours=int(whole), minutes=int(minutes or 0))


# outcome, late by (or, overdue, by now), fee in yuan, excuse, lost, delivered -> yuan, cause
TABLE = """
met      -       10.00  -              -     yes   0.00    -
pending  -       10.00  -              -     -     0.00    -
void     -       10.00  -              -     -     0.00    -
late     0:01    10.00  -              -     yes   2.00    late
late     23:59   10.00  -              -     yes   2.00    late
late     24:00   10.00  -              -     yes   5.00    late
late     71:59   10.00  -              -     yes   5.00    late
late     72:00   10.00  -              -     yes   10.00   late
late     900:00  10.00  -              -     yes   10.00   late
overdue  0       10.00  -              -     -     2.00    overdue
overdue  24:00   10.00  -              -     -     5.00    overdue
overdue  72:00   10.00  -              -     -     10.00   overdue
late     72:00   45.00  -              -     yes   30.00   late
late     24:00   60.00  -              -     yes   30.00   late
late     24:00   59.98  -              -     yes   29.99   late
late     0:01    0.02   -              -     yes   0.00    -
late     0:01    0.03   -              -     yes   0.01    late
late     24:00   0.01   -              -     yes   0.01    late
late     0:01    0.00   -              -     yes   0.00    -
late     72:00   -      -              -     yes   0.00    -
late     24:00   10.00  weather        -     yes   0.00    -
overdue  24:00   10.00  force_majeure  -     -     0.00    -
overdue  24:00   10.00  -              lost  -     200.00  lost
pending  -       10.00  -              lost  -     200.00  lost
met      -       10.00  -              lost  -     200.00  lost
late     24:00   10.00  -              lost  -     200.00  lost
overdue  24:00   0.00   -              lost  -     200.00  lost
overdue  24:00   -      -              lost  -     0.00    -
void     -       10.00  -              lost  -     0.00    -
met      -       10.00  -              lost  yes   0.00    -
late     24:00   10.00  -              lost  yes   5.00    late
overdue  24:00   10.00  weather        lost  -     200.00  lost
overdue  24:00   10.00  consignee_absent lost -    200.00  lost
overdue  24:00   10.00  disaster       lost  -     0.00    -
late     24:00   10.00  force_majeure  lost  -     0.00    -
late     24:00   10.00  force_majeure  lost  yes   0.00    -
"""


def fen(yuan: str) -> int:
    return int(Decimal(yuan) * 100)


def fate_of(columns: list[str]) -> Fate:
    outcome, late_by, fee, excuse, lost, delivered = columns
    reached = DUE + hours(late_by) if outcome == "late" else DUE if outcome == "met" else None
    return Fate(
        outcome=outcome,
        reached_at=reached,
        excused=excuse != "-",
        excuse_reason="" if excuse == "-" else excuse,
        fee_fen=None if fee == "-" else fen(fee),
        lost_at=DUE if lost == "lost" else None,
        delivered_at=DUE + timedelta(days=50) if delivered == "yes" else None,
    )


def test_a_declared_value_is_paid_for_a_loss_alone() -> None:
    lost = Fate(outcome="overdue", declared_value_fen=123_456, lost_at=DUE)
    assert credit_for(NEXT_DAY, lost, now=DUE)[:2] == (123_456, CreditCause.LOST)
    excused = Fate(
        outcome="overdue", declared_value_fen=9, lost_at=DUE, excused=True, excuse_reason="disaster"
    )
    assert credit_for(NEXT_DAY, excused, now=DUE).fen == 0
    late = Fate(declared_value_fen=123_456, reached_at=DUE + hours("24:00"))
    assert credit_for(NEXT_DAY, late, now=DUE)[:2] == (500, CreditCause.LATE)


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_the_table(line: str) -> None:
    *columns, yuan, cause = line.split()
    now = DUE + (hours(columns[1]) if columns[1] != "-" else timedelta(hours=7))
    credit = credit_for(NEXT_DAY, fate_of(columns), now=now)
    assert (credit.fen, credit.cause) == (fen(yuan), None if cause == "-" else cause)


def test_nothing_is_credited_before_the_first_schedule() -> None:
    assert credit_for(None, Fate(reached_at=DUE + hours("24")), now=DUE).fen == 0


def test_overdue_lateness_is_never_negative() -> None:
    credit = credit_for(NEXT_DAY, Fate(outcome="overdue"), now=DUE - hours("1"))
    assert credit == Credit(200, CreditCause.OVERDUE, timedelta())


# --- against another calculation ---------------------------------------------------------------


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    starts = draw(st.lists(st.integers(1, 10_000), unique=True, max_size=5))
    shares = sorted(draw(st.lists(st.integers(0, 100), min_size=len(starts) + 1, max_size=len(starts) + 1)))
    bands = tuple(Band(*pair) for pair in zip([0, *sorted(starts)], shares, strict=True))
    cap = draw(st.integers(0, 100_000))
    return Schedule(1, bands, cap, cap + draw(st.integers(0, 100_000)))


def in_decimals(schedule: Schedule, late_seconds: Decimal, fee_fen: int) -> int:
    """The same computed differently: yuan as decimals, bands from the last to the first."""
    for minutes, percent in reversed(schedule.bands):
        if late_seconds >= Decimal(minutes) * 60:
            share = Decimal(fee_fen) / 100 * percent / 100
            owed = share.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
            return int(min(owed, Decimal(schedule.cap_fen) / 100) * 100)
    return 0


@given(schedules(), st.integers(0, 2_000_000), st.integers(0, 10_000_000))
def test_credit_of_lateness_equals_decimal_arithmetic(schedule: Schedule, seconds: int, fee_fen: int) -> None:
    late = Fate(reached_at=DUE + timedelta(seconds=seconds), fee_fen=fee_fen)
    overdue = Fate(outcome="overdue", fee_fen=fee_fen)
    expected = in_decimals(schedule, Decimal(seconds), fee_fen)
    assert credit_for(schedule, late, now=DUE).fen == expected
    assert credit_for(schedule, overdue, now=DUE + timedelta(seconds=seconds)).fen == expected


@given(schedules(), st.integers(0, 2_000_000), st.integers(0, 2_000_000), st.integers(0, 10_000_000))
def test_later_is_never_credited_with_less(schedule: Schedule, one: int, other: int, fee_fen: int) -> None:
    sooner, later = sorted((one, other))
    amounts = [schedule.late_fen(timedelta(seconds=late), fee_fen) for late in (sooner, later)]
    assert amounts == sorted(amounts)
    assert max(amounts) <= schedule.cap_fen <= schedule.lost_fen


@given(schedules(), st.integers(0, 10_000_000), st.sampled_from(ExcuseReason))
def test_excuse_removes_lateness_and_only_some_reasons_remove_loss(
    schedule: Schedule, fee_fen: int, reason: ExcuseReason
) -> None:
    late = Fate(reached_at=DUE + hours("90"), fee_fen=fee_fen, excused=True, excuse_reason=reason)
    assert credit_for(schedule, late, now=DUE).fen == 0
    late.lost_at = DUE
    expected = 0 if reason in EXCUSES_LOSS else schedule.lost_fen
    assert credit_for(schedule, late, now=DUE).fen == expected


# --- causes ------------------------------------------------------------------------------------

LATE = Credit(500, CreditCause.LATE, timedelta(days=1))
LOST = Credit(20_000, CreditCause.LOST)


@pytest.mark.parametrize(
    ("change", "credit", "fate", "before", "cause"),
    [
        (500, LATE, Fate(), None, CreditCause.LATE),
        (-300, LATE, Fate(), CreditCause.OVERDUE, CreditCause.LATE),
        (500, LATE, Fate(), CreditCause.EXCUSED, CreditCause.LATE),
        (20_000, LOST, Fate(lost_at=DUE), CreditCause.OVERDUE, CreditCause.LOST),
        (-19_500, LATE, Fate(lost_at=DUE, delivered_at=DUE), CreditCause.LOST, CreditCause.FOUND),
        (-20_000, Credit(), Fate("met"), CreditCause.LOST, CreditCause.FOUND),
        (-500, Credit(), Fate("met"), CreditCause.LATE, CreditCause.WITHDRAWN),
        (-500, Credit(), Fate("met", excused=True), CreditCause.LATE, CreditCause.WITHDRAWN),
        (-500, Credit(), Fate("void"), CreditCause.OVERDUE, CreditCause.WITHDRAWN),
        (-500, Credit(late_by=DUE - DUE), Fate(excused=True), CreditCause.LATE, CreditCause.EXCUSED),
        (-9, Credit(), Fate("pending", excused=True, lost_at=DUE), CreditCause.LOST, CreditCause.EXCUSED),
    ],
)
def test_entry_has_its_cause(
    change: int, credit: Credit, fate: Fate, before: CreditCause | None, cause: CreditCause
) -> None:
    assert cause_of_change(change, credit, fate, before) == cause


# --- versions ----------------------------------------------------------------------------------


def test_the_schedule_in_force_at_booking_applies() -> None:
    second = DUE + timedelta(days=1)
    newer = Schedule(2, (Band(0, 1),), 1, 1)
    schedules = Schedules([(7, second, newer), (7, DUE, NEXT_DAY), (8, second, newer)])
    millisecond = timedelta(milliseconds=1)

    def booked(at: datetime, tier: int = 7) -> Schedule | None:
        return schedules.for_parcel(tier, new_parcel_id(at))

    assert booked(DUE - millisecond) is None
    assert booked(DUE) == booked(second - millisecond) == NEXT_DAY
    assert booked(second) == newer
    assert booked(DUE, tier=8) is None
    assert booked(second, tier=9) is None


def test_a_schedule_from_before_all_ids_holds_from_the_first_id() -> None:
    schedules = Schedules([(7, EPOCH - timedelta(days=1), NEXT_DAY)])
    assert schedules.for_parcel(7, new_parcel_id(EPOCH)) == NEXT_DAY
    assert [(start, end) for _tier, start, end, _schedule in schedules.spans()] == [(0, None)]


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        ([], "begins at 0"),
        ([(5, 20)], "begins at 0"),
        ([(0, 20), (0, 30)], "must be later than"),
        ([(0, 20), (60, 30), (30, 40)], "must be later than"),
        ([(0, 101)], "from 0 to 100"),
        ([(0, -1)], "from 0 to 100"),
        ([(0, 20), (60, 10)], "must not be lower"),
        ([(0, 20), (99_999_999, 30)], "must be later than"),
        ([(minutes, 1) for minutes in range(21)], "at most 20"),
    ],
)
def test_bands_that_make_no_sense_are_explained(bands: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_bands([Band(*band) for band in bands])


def test_bands_that_make_sense_pass() -> None:
    check_bands(NEXT_DAY.bands)
    check_bands([Band(0, 0), Band(60, 0), Band(120, 100)])


@pytest.mark.parametrize(
    "stored", [[{"late_by_minutes": 0}], [{"late_by_minutes": None, "share_percent": 1}]]
)
def test_invalid_band_is_refused(stored: list[dict[str, int]]) -> None:
    with pytest.raises(ValueError, match="no band"):
        bands_from(stored)
