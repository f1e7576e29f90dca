"""What the tracking page tells a recipient: when it comes, what happens next, what to do, whom to ask."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from msgspec.structs import replace

from parcels.choices import Contradiction, ParcelStatus, ScanCode, ScanReason
from parcels.scans.sql_lost import MOVING
from parcels.tracking.advice import Reader, advice_of, day_helps, title_of
from parcels.tracking.arrivals import Arrival, Expectable, Precision
from parcels.tracking.causes import Cause
from parcels.tracking.state import Loss, ParcelState, PromiseState, state_of
from parcels.tracking.verdicts import Verdict
from slas.choices import Outcome
from slas.forecasts.rules import Basis

ZONE: Final = "Asia/Shanghai"
NOW: Final = datetime(2026, 11, 30, 13, tzinfo=ZoneInfo(ZONE))
HOUR: Final = timedelta(hours=1)
S, R = ParcelStatus, ScanReason
TODAY: Final = Arrival(NOW + 2 * HOUR, NOW + 3 * HOUR, Precision.HALF_HOUR, Basis.COURIER)


@pytest.fixture(autouse=True)
def english() -> Any:
    with translation.override("en"):
        yield


def reader(**extra: Any) -> Reader:
    return Reader("Swift", "Chengdu", ZONE, NOW, **extra)


def promised(at: datetime, *, agreed_at: datetime | None = None) -> PromiseState:
    is_late = at < NOW
    return PromiseState(
        original=at, deliver_by=agreed_at or at, judged_by=at, moved_by="recipient" if agreed_at else "",
        outcome=Outcome.OVERDUE if is_late else Outcome.PENDING, reached_at=None, excused=False,
        late_by=NOW - at if is_late else None,
    )  # fmt: skip


def state(status: ParcelStatus, *, hours_ago: float = 2, **extra: Any) -> ParcelState:
    promise = extra.pop("promise", promised(NOW + 7 * HOUR))
    return ParcelState(status, NOW - hours_ago * HOUR, promise, promise and promise.outcome, **extra)


def failed(
    reason: str, *, hours_ago: float = 2, code: str = ScanCode.ATTEMPT_FAILED, **extra: Any
) -> ParcelState:
    at = NOW - hours_ago * HOUR
    status = S.EXCEPTION if code == ScanCode.HELD else S.ATTEMPT_FAILED
    return state(status, hours_ago=hours_ago, cause=Cause(code, at, reason), **extra)


# --- every state answers ---------------------------------------------------------------------


def every_state() -> list[ParcelState]:
    plain = [state(status, hours_ago=hours) for status, hours in product(S, (2, 30, 200))]
    troubled = [
        failed(reason, code=code, hours_ago=hours)
        for reason, code, hours in product(R, (ScanCode.ATTEMPT_FAILED, ScanCode.HELD), (2, 100))
    ]
    late = [replace(item, promise=promised(NOW - 30 * HOUR)) for item in (*plain, *troubled)]
    silent = [
        replace(item, silent_since=NOW - 60 * HOUR) for item in (*plain, *troubled) if item.status in MOVING
    ]
    lost = [replace(item, loss=Loss(NOW - HOUR, is_reported=False)) for item in plain]
    return [
        replace(item, loss=Loss(NOW, is_reported=True)) if item.status == S.LOST else item
        for item in (*plain, *troubled, *late, *silent, *lost)
    ]


def test_every_state_answers_without_contradiction_or_repetition() -> None:
    for item in every_state():
        for may_choose in (True, False):
            advice = advice_of(item, reader(may_choose_day=may_choose and day_helps(item)))
            assert all([advice.title, advice.what, advice.next, advice.to_do])
            # Whom to ask is said once.
            assert advice.ask or any("Ask Swift" in text for text in advice.to_do)
            assert not (advice.ask and any("give the tracking number" in text for text in advice.to_do))
            told = [advice.what, advice.next, *advice.to_do, advice.ask]
            assert len(set(told)) == len(told)
            is_over = item.loss is not None or item.status in (S.LOST, S.CANCELLED, S.RETURNING, S.RETURNED)
            assert bool(advice.when) != is_over
            if not may_choose:
                assert "below" not in " ".join(advice.to_do)


@pytest.mark.parametrize("reason", [R.CUSTOMS_DOCUMENTS, R.WEATHER_SNOW, R.COURIER_VEHICLE])
def test_silence_and_lateness_do_not_hide_the_reason(reason: str) -> None:
    item = failed(reason, code=ScanCode.HELD, silent_since=NOW, promise=promised(NOW - 30 * HOUR))
    what = advice_of(item, reader()).what
    assert "On hold since" in what
    assert what.endswith("There has been no news since. It is 1 d 6 h overdue.")


# --- a round that is over, an attempt that is not repeated ------------------------------------


class Parcel:
    """What a state reads of a parcel."""

    tier_id = courier_id = origin_id = destination_id = 1
    has_return = False

    def __init__(self, status: str, status_at: datetime) -> None:
        self.status, self.status_at, self.last_scan_at = status, status_at, status_at
        self.deliver_by = NOW + 7 * HOUR


def stated(status: str, status_at: datetime, arrival: Arrival | None = None) -> ParcelState:
    verdict = Verdict(Outcome.PENDING, NOW + 7 * HOUR, None, margin=7 * HOUR)
    return state_of(
        Parcel(status, status_at), verdict, loss=None, cause=None, moved_by="", tier="next_day", zone=ZONE,
        arrival=arrival, now=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hours_ago", "title", "when", "next_text"),
    [
        (4, "Out for delivery", "around 15:00", "The driver will deliver it on this round."),
        (14, "Not delivered yet", "Expected today", "It has to go out for delivery again."),
        (28, "Not delivered yet", "Expected today", "It has to go out for delivery again."),
    ],
)
def test_a_round_ends_with_its_day(hours_ago: int, title: str, when: str, next_text: str) -> None:
    item = stated(S.OUT_FOR_DELIVERY, NOW - hours_ago * HOUR, TODAY)
    advice = advice_of(item, reader())
    assert (advice.title, title_of(item), advice.next) == (title, title, next_text)
    assert when in advice.when
    # The hours of other parcels say nothing of one that was left over.
    assert ("around" in advice.when) == (hours_ago == 4)


def test_no_hour_is_told_of_a_silent_parcel() -> None:
    item = stated(S.IN_TRANSIT, NOW - 30 * HOUR, TODAY)
    assert item.silent_since is not None
    assert "around" not in advice_of(item, reader()).when


@pytest.mark.parametrize(("hours_ago", "is_today"), [(3, True), (20, False)])
def test_a_parcel_on_its_round_is_expected_today(hours_ago: int, is_today: bool) -> None:
    # Attempted before: its promise is settled, and no forecast is made.
    verdict = Verdict(Outcome.MET, NOW, NOW - 24 * HOUR, margin=24 * HOUR)
    item = Expectable(Parcel(S.OUT_FOR_DELIVERY, NOW - hours_ago * HOUR), verdict, None, ZONE)
    arrival = item.on_round(NOW)
    assert (arrival is not None) == is_today
    if arrival is not None:
        assert (arrival.basis, arrival.precision, arrival.p50_at.hour) == (Basis.ROUND, Precision.DAY, 21)
    assert item.on_round(NOW.replace(hour=22)) is None


class Days:
    """A tier that delivers every day until 20:00."""

    def deadline_from(self, tier: int, city: int, first: datetime, now: datetime) -> datetime:
        deadline = first.astimezone(ZoneInfo(ZONE)).replace(hour=20, minute=0)
        return deadline if deadline > now else deadline + timedelta(days=1)


@pytest.mark.parametrize(("days_ago", "expected"), [(0, 1), (1, 0), (2, 0), (3, None), (9, None)])
def test_an_attempt_is_not_expected_again_for_ever(days_ago: int, expected: int | None) -> None:
    at = NOW - timedelta(days=days_ago, hours=2)
    cause = Cause(ScanCode.ATTEMPT_FAILED, at, R.CONSIGNEE_ABSENT)
    verdict = Verdict(Outcome.MET, NOW, at, margin=HOUR)
    arrival = Expectable(Parcel(S.ATTEMPT_FAILED, at), verdict, cause, ZONE).next_attempt(Days(), NOW)  # type: ignore[arg-type]
    day = arrival and (arrival.p50_at.date() - NOW.date()).days
    assert day == expected
    advice = advice_of(failed(R.CONSIGNEE_ABSENT, hours_ago=2 + 24 * days_ago, arrival=arrival), reader())
    assert ("Tell Swift when somebody is there to take it." in advice.to_do) == (expected is None)


# --- what the reader can do ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "helps"),
    [
        (R.CONSIGNEE_ABSENT, True),
        (R.CONSIGNEE_REFUSED, True),
        (R.WEATHER_TYPHOON, True),
        (R.CONSIGNEE_WRONG_ADDRESS, False),
        (R.MERCHANT_BAD_DATA, False),
        (R.MERCHANT_PACKAGING, False),
        (R.CUSTOMS_DOCUMENTS, False),
    ],
)
def test_another_day_is_offered_where_it_helps(reason: str, helps: bool) -> None:
    assert day_helps(failed(reason)) == helps
    assert day_helps(failed(reason, code=ScanCode.HELD)) is False
    assert day_helps(failed(R.CONSIGNEE_RESCHEDULED, code=ScanCode.HELD)) is True


def test_a_day_agreed_with_the_courier_is_no_unknown_day() -> None:
    advice = advice_of(failed(R.CONSIGNEE_RESCHEDULED), reader(may_choose_day=True))
    assert advice.when == "On the day you agreed with the courier"
    assert advice.to_do == ["To see that day on this page, choose it below."]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(ScanCode.ATTEMPT_FAILED, R.CONSIGNEE_REFUSED), (ScanCode.AVAILABLE_FOR_PICKUP, "")],
)
def test_a_day_chosen_for_what_was_refused_or_put_in_a_locker_is_awaited(code: str, reason: str) -> None:
    cause = Cause(code, NOW - HOUR, reason)
    waiting = advice_of(state(S.ATTEMPT_FAILED, cause=cause), reader(may_choose_day=True))
    assert any("choose a d" in text for text in waiting.to_do)
    chosen = state(S.ATTEMPT_FAILED, cause=cause, arrival=replace(TODAY, precision=Precision.DAY))
    advice = advice_of(chosen, reader(may_choose_day=True))
    assert advice.when.startswith("Expected today")
    assert advice.next.startswith("The next attempt is expected today")
    assert advice.to_do == [
        "Make sure that somebody is there to take it.", "If another day suits you better, choose it below.",
    ]  # fmt: skip


def test_a_late_parcel_with_a_new_day_is_awaited_on_that_day() -> None:
    promise = promised(NOW - 17 * HOUR, agreed_at=NOW + 55 * HOUR)
    arrival = Arrival(promise.deliver_by, promise.deliver_by, Precision.DAY, Basis.COURIER)
    advice = advice_of(state(S.IN_TRANSIT, promise=promise, arrival=arrival), reader())
    assert "It missed the first date" in advice.what
    assert "overdue" not in advice.what
    assert advice.to_do == ["You don't need to do anything."]


def test_a_return_is_not_searched_for() -> None:
    advice = advice_of(state(S.RETURNING, hours_ago=60, silent_since=NOW - 60 * HOUR), reader())
    assert advice.what == "The parcel is on its way back to the sender."
    assert advice.next == "It goes back to the sender and is not delivered any more."


@pytest.mark.parametrize(
    ("days", "when"), [(0, "It can be collected now"), (5, "Collect it as soon as you can")]
)
def test_a_parcel_to_collect_says_since_when(days: int, when: str) -> None:
    at = NOW - timedelta(days=days)
    cause = Cause(ScanCode.AVAILABLE_FOR_PICKUP, at, consent=True)
    advice = advice_of(state(S.AVAILABLE_FOR_PICKUP, hours_ago=24 * days, cause=cause), reader())
    assert advice.when == when
    assert f"since {reader().day(at)}" in advice.what
    assert "the place, the code, the hours and until when" in " ".join(advice.to_do)


def test_damage_is_not_forgotten_when_it_travels_on() -> None:
    advice = advice_of(state(S.OUT_FOR_DELIVERY, arrival=TODAY), reader(was_damaged=True))
    assert any("note the damage before you sign" in text for text in advice.to_do)


@pytest.mark.parametrize(
    ("status", "contradiction", "text"),
    [
        (S.CANCELLED, Contradiction.MOVING_THOUGH_CANCELLED, "It was picked up anyway"),
        (S.RETURNED, Contradiction.DELIVERED_AFTER_RETURN, "contradicts this"),
        (S.DELIVERED, Contradiction.RETURNED_AFTER_DELIVERY, "contradicts this"),
        (S.DELIVERED, Contradiction.DELIVERED_TWICE, "two deliveries"),
        (S.DELIVERED, Contradiction.SEEN_AFTER_LOSS, "has turned up"),
    ],
)
def test_contradicting_scans_are_explained(status: ParcelStatus, contradiction: str, text: str) -> None:
    assert text in advice_of(state(status), reader(contradiction=contradiction)).what
    assert text not in advice_of(state(status), reader()).what
