"""Promises as text: each step is a sentence that names its city."""

from datetime import UTC, date, datetime, time

import pytest

from slas.promises.closures import ClosureCalendar, ClosureRule, Hours
from slas.promises.holidays import HOLIDAY_NAMES, holidays_between
from slas.promises.rules import Promise, Step, StepCode, day_after, promise
from slas.promises.texts import Ends, closure_text, explained, hours_text, rolled_text, step_text
from tests.slas.helpers.journeys import CITIES, TIERS, closure_rules, local

ENDS = Ends("Hangzhou", "Chengdu")
HGH, CTU = CITIES["HGH"], CITIES["CTU"]
FULL_STEP = {
    "day": date(2026, 10, 1),
    "at": datetime(2026, 10, 1, 20, tzinfo=UTC),
    "days": 2,
    "closure": "Typhoon",
    "hours": (Hours(time(14), time(18)),),
}
NONE = ClosureCalendar([])
# The steps around it show which place's calendar skips a day.
NAMELESS = {StepCode.NO_SUCH_DAY, StepCode.NEW_RULES}


def promised(tier: str, ready: str, *closures: ClosureRule, booked: str = "") -> Promise:
    booked_at = local(booked, "HGH") if booked else None
    return promise(TIERS[tier], HGH, CTU, local(ready, "HGH"), ClosureCalendar(closures), booked_at=booked_at)


def test_story_of_a_promise_reads_from_booking_to_the_door() -> None:
    national_day = ClosureRule(date(2026, 10, 1), city_id=CTU.city_id, name="National Day")
    assert explained(promised("two", "2026-09-30 17:40", national_day), ENDS) == [
        "Booked Wed 30 Sep 2026 17:40, Hangzhou time.",
        "In time for the cut-off in Hangzhou, 18:00, so pickup is on Wed 30 Sep 2026.",
        "Picked up in Hangzhou by Wed 30 Sep 2026 20:00.",
        "Chengdu is 2 days away.",
        "Chengdu is closed on Thu 1 Oct 2026 (National Day).",
        "Delivered in Chengdu by Sat 3 Oct 2026 20:00.",
    ]


def test_closed_hours_are_explained_if_they_move_a_deadline() -> None:
    sentences = explained(
        promised(
            "next",
            "2026-03-02 10:00",
            *closure_rules("HGH 03-02 18:00-21:00, CTU 03-03 16:00-, CTU 03-04 19:00-20:30", "2026"),
        ),
        ENDS,
    )
    assert sentences[2:] == [
        "Hangzhou is closed 18:00–21:00 on Mon 2 Mar 2026 (HGH 03-02 18:00-21:00), so pickup is by 23:00.",
        "Picked up in Hangzhou by Mon 2 Mar 2026 23:00.",
        "Chengdu is 1 day away.",
        "Chengdu is closed 16:00–24:00 on Tue 3 Mar 2026 (CTU 03-03 16:00-),"
        " which leaves too little of the day for delivery.",
        "Chengdu is closed 19:00–20:30 on Wed 4 Mar 2026 (CTU 03-04 19:00-20:30), so delivery is by 21:30.",
        "Delivered in Chengdu by Wed 4 Mar 2026 21:30.",
    ]


@pytest.mark.parametrize(
    ("ready", "booked", "closures", "message"),
    [
        ("2026-03-02 10:00", "", "", ""),
        (
            "2026-03-02 18:01", "", "",
            "The cut-off in Hangzhou for pickup on Mon 2 Mar 2026 has passed: it was 18:00.",
        ),
        (
            "2026-03-02 20:01", "2026-03-02 10:00", "",
            "Ready after the last pickup in Hangzhou, Mon 2 Mar 2026 20:00.",
        ),
        ("2026-03-02 10:00", "", "HGH 03-02", "Hangzhou is closed on Mon 2 Mar 2026 (HGH 03-02)."),
        (
            "2026-03-02 10:00", "", "HGH 03-02 18:00-",
            "Hangzhou is closed 18:00–24:00 on Mon 2 Mar 2026 (HGH 03-02 18:00-),"
            " which leaves too little of the day for pickup.",
        ),
    ],
)  # fmt: skip
def test_rolled_pickup_is_explained_by_its_cause(
    ready: str, booked: str, closures: str, message: str
) -> None:
    outcome = promised("next", ready, *closure_rules(closures, "2026"), booked=booked)
    rolled = f"{message} Pickup is on Tue 3 Mar 2026." if message else ""
    assert rolled_text(outcome, ENDS) == rolled


def test_rolled_pickup_names_every_cause_and_joins_the_days_of_a_closure() -> None:
    holiday = [ClosureRule(date(2026, 3, day), city_id=HGH.city_id, name="National Day") for day in (3, 4, 5)]
    outcome = promised("next", "2026-03-02 18:01", *holiday)
    assert rolled_text(outcome, ENDS) == (
        "The cut-off in Hangzhou for pickup on Mon 2 Mar 2026 has passed: it was 18:00."
        " Hangzhou is closed from Tue 3 Mar 2026 to Thu 5 Mar 2026 (National Day)."
        " Pickup is on Fri 6 Mar 2026."
    )


def test_full_days_are_named_beside_the_other_causes() -> None:
    first = promised("next", "2026-03-02 18:01")
    later = day_after(
        first, lambda ready_at: promise(TIERS["next"], HGH, CTU, ready_at, NONE), "Asia/Shanghai"
    )
    assert rolled_text(later, ENDS, (date(2026, 3, 3),)) == (
        "The cut-off in Hangzhou for pickup on Mon 2 Mar 2026 has passed: it was 18:00."
        " Full on Tue 3 Mar 2026. Pickup is on Wed 4 Mar 2026."
    )


@pytest.mark.parametrize(
    ("tier", "ready", "sentence"),
    [
        # Sunday 4 January 2026 and Saturday 14 February 2026 make up for New Year and the Spring Festival.
        ("next", "2026-01-04 10:00", "Sun 4 Jan 2026 is a make-up working day."),
        ("next", "2026-02-13 10:00", "Sat 14 Feb 2026 is a make-up working day."),
        (
            "shop", "2026-01-03 20:30",
            "There is no pickup in Hangzhou on Sun 4 Jan 2026. Sun 4 Jan 2026 is a make-up working day,"
            " but this service goes by the day of the week.",
        ),
    ],
)  # fmt: skip
def test_make_up_working_days_are_named(tier: str, ready: str, sentence: str) -> None:
    assert sentence in " ".join(explained(promised(tier, ready), ENDS))


def test_other_weekend_days_are_not_named_as_make_up_days() -> None:
    assert "make-up" not in " ".join(explained(promised("shop", "2026-03-07 20:30"), ENDS))


@pytest.mark.parametrize("code", StepCode)
def test_every_step_is_a_sentence_that_names_its_city(code: StepCode) -> None:
    sentence = step_text(Step(code, **FULL_STEP), ENDS)  # type: ignore[arg-type]
    assert sentence.endswith(".")
    assert "%" not in sentence
    assert code in NAMELESS or ("Hangzhou" in sentence) != ("Chengdu" in sentence)


def test_cut_off_on_the_day_before_is_shown_with_its_day() -> None:
    sentences = explained(promised("eve", "2026-03-02 22:01"), ENDS)
    assert sentences[2] == (
        "The cut-off in Hangzhou for pickup on Tue 3 Mar 2026 has passed: it was Mon 2 Mar 2026 22:00."
    )
    assert sentences[3] == (
        "In time for the cut-off in Hangzhou, Tue 3 Mar 2026 22:00, so pickup is on Wed 4 Mar 2026."
    )


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (0, "Chengdu is reached the same day."),
        (1, "Chengdu is 1 day away."),
        (3, "Chengdu is 3 days away."),
    ],
)
def test_days_in_transit_are_counted_in_words(days: int, message: str) -> None:
    assert step_text(Step(StepCode.DAYS_IN_TRANSIT, days=days), ENDS) == message


@pytest.mark.parametrize(
    ("hours", "message"),
    [(Hours(time(9), time(12, 30)), "09:00–12:30"), (Hours(time(0), None), "00:00–24:00")],
)
def test_hours_are_shown_to_the_minute(hours: Hours, message: str) -> None:
    assert hours_text(hours) == message


def test_public_holidays_have_names_that_can_be_translated() -> None:
    assert {day.name for day in holidays_between(2016, 2030)} <= HOLIDAY_NAMES
    assert closure_text("Typhoon Bebinca") == "Typhoon Bebinca"
