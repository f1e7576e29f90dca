"""The tables of statuses are complete, and the fold does not depend on order."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcels.choices import ParcelStatus, ScanCode, ScanReason
from parcels.scans import rules

BOOKED = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Fact:
    code: str
    occurred_at: datetime
    event_key: int = 0
    reason: str = ""
    consent: bool = False
    corrects: int | None = None


def fact(code: str, hours: float, key: int = 0, **extra: object) -> Fact:
    return Fact(code, BOOKED + timedelta(hours=hours), key, **extra)  # type: ignore[arg-type]


# --- tables ----------------------------------------------------------------------------------


def test_every_code_except_correction_has_a_status() -> None:
    assert set(rules.STATUS_OF_CODE) == set(ScanCode) - {ScanCode.CORRECTION}


def test_every_status_is_ranked_once() -> None:
    assert sorted(rules.RANKED) == sorted(ParcelStatus)


@pytest.mark.parametrize("mapping", [rules.AFTERSHIP, rules.EASYPOST, rules.KUAIDI100])
def test_every_status_has_equivalents(mapping: dict[str, str]) -> None:
    assert set(mapping) == set(ParcelStatus)


def test_equivalents_use_the_vocabularies_of_other_services() -> None:
    assert set(rules.AFTERSHIP.values()) == {
        "InfoReceived",
        "InTransit",
        "OutForDelivery",
        "AttemptFail",
        "AvailableForPickup",
        "Delivered",
        "Exception",
    }
    assert set(rules.EASYPOST.values()) == {
        "pre_transit",
        "in_transit",
        "out_for_delivery",
        "delivered",
        "available_for_pickup",
        "return_to_sender",
        "failure",
        "cancelled",
    }
    assert set(rules.KUAIDI100.values()) <= {"", "0", "1", "2", "3", "4", "5", "6"}


@pytest.mark.parametrize("reason", ScanReason.values)
def test_every_reason_names_a_party(reason: str) -> None:
    party = rules.party_at_fault(reason)
    assert party in rules.PARTIES
    assert reason.startswith(party)


def test_no_party_is_at_fault_without_a_reason() -> None:
    assert rules.party_at_fault("") == rules.party_at_fault("couriers_of_doom") == ""


# --- rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "consent", "valid"),
    [
        ("delivered", "", False, True),
        ("available_for_pickup", "", True, True),
        ("available_for_pickup", "", False, False),
        ("attempt_failed", "consignee_absent", False, True),
        ("attempt_failed", "courier_not_attempted", False, False),
        ("attempt_failed", "weather_typhoon", False, False),
        ("held", "consignee_rescheduled", False, False),
        ("returned", "", False, False),
        ("out_for_delivery", "", False, False),
    ],
)
def test_valid_attempt(code: str, reason: str, consent: bool, valid: bool) -> None:
    assert rules.is_valid_attempt(code, reason=reason, consent=consent) is valid


def test_parcel_without_scans_is_booked() -> None:
    folded = rules.fold([], booked_at=BOOKED)
    assert (folded.status, folded.status_at, folded.last_scan_at) == ("booked", BOOKED, None)


def test_higher_ranked_of_simultaneous_scans_wins() -> None:
    assert rules.fold([fact("arrived", 1), fact("held", 1)], booked_at=BOOKED).status == "exception"
    assert rules.fold([fact("lost", 1), fact("delivered", 1)], booked_at=BOOKED).status == "delivered"


def test_end_wins_over_later_scans_until_corrected() -> None:
    scans = [fact("delivered", 5, 1), fact("departed", 6, 2)]
    assert rules.fold(scans, booked_at=BOOKED).status == "delivered"
    corrected = [*scans, fact("correction", 7, 3, corrects=1)]
    assert rules.fold(corrected, booked_at=BOOKED).status == "in_transit"


def test_corrections_cannot_be_withdrawn() -> None:
    scans = [
        fact("delivered", 5, 1),
        fact("correction", 6, 2, corrects=1),
        fact("correction", 7, 3, corrects=2),
    ]
    folded = rules.fold(scans, booked_at=BOOKED)
    assert (folded.status, folded.last_scan_at) == ("booked", None)


def test_cancelled_parcel_stays_cancelled() -> None:
    folded = rules.fold([fact("delivered", 5)], booked_at=BOOKED, cancelled_at=BOOKED)
    assert (folded.status, folded.status_at, folded.delivered_at) == ("cancelled", BOOKED, None)


facts = st.lists(
    st.builds(
        fact,
        st.sampled_from(ScanCode.values),
        st.integers(0, 6),
        st.integers(1, 6),
        reason=st.sampled_from(["", "consignee_absent", "courier_vehicle"]),
        consent=st.booleans(),
        corrects=st.integers(1, 6),
    ),
    max_size=8,
)


@given(facts, st.randoms())
def test_fold_does_not_depend_on_order_or_duplicates(scans: list[Fact], random: object) -> None:
    again = [*scans, *scans[:3]]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert rules.fold(again, booked_at=BOOKED) == rules.fold(scans, booked_at=BOOKED)


@given(facts)
def test_fold_milestones_are_no_later_than_the_last_scan(scans: list[Fact]) -> None:
    folded = rules.fold(scans, booked_at=BOOKED)
    for milestone in (folded.picked_up_at, folded.reached_at, folded.delivered_at):
        assert milestone is None or (folded.last_scan_at and milestone <= folded.last_scan_at)
    if folded.reached_at:
        assert folded.picked_up_at
        assert folded.picked_up_at <= folded.reached_at
