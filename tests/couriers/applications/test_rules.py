"""The rules, without a database: states, what may be typed, what is missing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couriers.applications.rules import (
    EDITABLE,
    TRANSITIONS,
    check_note,
    check_reason,
    check_step,
    may_become,
    missing,
    tidy,
)
from couriers.choices import ApplicationState, DocumentKind, Step
from tests.couriers.conftest import COMPANY, CONTACT

TODAY = date(2026, 11, 22)
PAPERS = {DocumentKind.BUSINESS_LICENCE, DocumentKind.EXPRESS_PERMIT}


def problem(step: Step, field: str, value: object) -> str:
    _clean, errors = check_step(step, {field: value}, today=TODAY)
    return errors[0].message if errors else ""


def stored(step: Step, field: str, value: object) -> object:
    clean, errors = check_step(step, {field: value}, today=TODAY)
    assert not errors
    return clean[field]


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(ApplicationState)


@pytest.mark.parametrize("final", [ApplicationState.APPROVED, ApplicationState.REJECTED])
def test_a_decision_is_final(final: ApplicationState) -> None:
    assert not TRANSITIONS[final]
    assert final not in EDITABLE


def test_only_what_was_submitted_can_be_approved() -> None:
    assert [state for state in ApplicationState if may_become(state, "approved")] == ["submitted"]


def test_good_data_pass_unchanged() -> None:
    assert check_step(Step.COMPANY, COMPANY, today=TODAY) == (COMPANY, [])
    assert check_step(Step.CONTACT, CONTACT, today=TODAY) == (CONTACT, [])


@pytest.mark.parametrize("step", [Step.COMPANY, Step.CONTACT])
def test_a_draft_may_be_empty(step: Step) -> None:
    blank: dict[str, object] = dict.fromkeys([*COMPANY, *CONTACT])
    clean, errors = check_step(step, blank, today=TODAY)
    assert not errors
    assert all(value in ("", None) for value in clean.values())


def test_values_of_another_step_are_left_out() -> None:
    clean, _errors = check_step(
        Step.CONTACT, {**CONTACT, "state": "approved", "legal_name": "x"}, today=TODAY
    )
    assert clean == CONTACT


def test_longest_chinese_name_fits_and_one_more_does_not() -> None:
    assert stored(Step.COMPANY, "legal_name", "速" * 200) == "速" * 200
    assert "201" in problem(Step.COMPANY, "legal_name", "速" * 201)


def test_a_name_of_signs_is_refused() -> None:
    assert problem(Step.COMPANY, "legal_name", "--- 123")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("91330100799655058b", "91330100799655058B"),
        (" 9133 0100 7996 55058B ", "91330100799655058B"),
        ("９１３３０１００７９９６５５０５８Ｂ", "91330100799655058B"),
    ],
)
def test_credit_code_is_read_as_people_write_it(typed: str, kept: str) -> None:
    assert stored(Step.COMPANY, "credit_code", typed) == kept


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("9133010079965505", "18 characters; you entered 16"),
        ("91330100799655058C", "check character"),
        ("9133010079965505IO", "without I, O"),
        ("A1330100799655058B", "Eight digits"),
    ],
)
def test_wrong_credit_code_says_what_is_wrong(code: str, says: str) -> None:
    assert says in problem(Step.COMPANY, "credit_code", code)


@pytest.mark.parametrize("number", ["国邮20100001A", "浙邮20180013B", "HK-EXP 2024/0012"])
def test_permit_numbers_of_every_style_pass(number: str) -> None:
    assert stored(Step.COMPANY, "permit_number", number) == number


@pytest.mark.parametrize("number", ["no digits", "12", "<script>1234", "x1" * 30])
def test_wrong_permit_number_is_refused(number: str) -> None:
    assert problem(Step.COMPANY, "permit_number", number)


@pytest.mark.parametrize(
    ("day", "says"), [(date(2026, 11, 23), "in the future"), (date(1066, 10, 14), "too long ago")]
)
def test_impossible_founding_days_are_refused(day: date, says: str) -> None:
    assert says in problem(Step.COMPANY, "founded_on", day)


@pytest.mark.parametrize("field", ["fleet_size", "daily_capacity"])
@pytest.mark.parametrize("number", [0, -1, 10**12])
def test_impossible_sizes_are_refused(field: str, number: int) -> None:
    assert "whole number" in problem(Step.COMPANY, field, number)


@pytest.mark.parametrize(
    "phone", ["13800138000", "+86 571 8502-2088", "(021) 6237 0000 ext. 12", "０５７１８５０２２０８８"]
)
def test_phones_of_every_style_pass(phone: str) -> None:
    assert not problem(Step.CONTACT, "contact_phone", phone)


@pytest.mark.parametrize("phone", ["call me", "12", "1" * 40, "+++++++"])
def test_wrong_phone_is_refused(phone: str) -> None:
    assert problem(Step.CONTACT, "contact_phone", phone)


@pytest.mark.parametrize("address", ["chen", "chen@", "a b@x.example", "a" * 300 + "@x.example"])
def test_wrong_address_is_refused(address: str) -> None:
    assert problem(Step.CONTACT, "contact_email", address)


def test_missing_names_everything_in_the_order_of_the_steps() -> None:
    lacking = missing({}, cities=0, documents=set())
    assert [item.field for item in lacking] == [
        *COMPANY,
        *CONTACT,
        "cities",
        "business_licence",
        "express_permit",
    ]


def test_nothing_is_missing_without_the_optional_papers() -> None:
    assert missing({**COMPANY, **CONTACT}, cities=1, documents=PAPERS) == []


def test_a_reason_is_needed_and_keeps_its_lines() -> None:
    assert check_reason(" \n\t ")[1][0].code == "required"
    assert check_reason("One.\r\nTwo. \n") == ("One.\nTwo.", [])
    assert check_reason("x" * 2001)[1]


def test_a_note_may_be_empty_but_not_endless() -> None:
    assert check_note("") == ("", [])
    assert check_note("速" * 2001)[1][0].pointer == "/note"


@given(st.text())
def test_tidy_leaves_one_line_without_control_characters(text: str) -> None:
    tidied = tidy(text)
    assert tidied == " ".join(tidied.split())
    assert "\x00" not in tidied
    assert tidy(tidied) == tidied


@given(
    st.dictionaries(st.sampled_from(["legal_name", "credit_code", "permit_number"]), st.text(max_size=300))
)
def test_no_text_breaks_the_rules(values: dict[str, str]) -> None:
    clean, errors = check_step(Step.COMPANY, values, today=TODAY)
    assert set(clean) == set(values)
    assert {error.field for error in errors} <= set(values)
