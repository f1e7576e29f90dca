"""Attribution of breaches, case by case. Hours are counted from when the parcel was ready."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slas.choices import ExcuseReason, Ground, Leg, Party
from slas.commitments.attribution import Attribution, Remark, attribute, party_of

READY = datetime(2026, 11, 2, 1, tzinfo=UTC)
PICKUP_DUE, DUE, REACHED, NOW = 6, 30, 40, 60


def at(hours: float | None) -> datetime | None:
    return None if hours is None else READY + timedelta(hours=hours)


@dataclass
class Facts:
    """The fields of a commitment that attribution reads."""

    kind: str = "delivery"
    due: float = DUE
    reached: float | None = REACHED
    excuse: str = ""
    picked_up: float | None = 5
    arrived: float | None = None
    out: float | None = None
    ready: float | None = 0

    excused = property(lambda self: bool(self.excuse))
    excuse_reason = property(lambda self: self.excuse)
    due_at = property(lambda self: at(self.due))
    reached_at = property(lambda self: at(self.reached))
    ready_at = property(lambda self: at(self.ready))
    picked_up_at = property(lambda self: at(self.picked_up))
    arrived_at = property(lambda self: at(self.arrived))
    out_for_delivery_at = property(lambda self: at(self.out))


def pickup(reached: float | None = 5, excuse: str = "") -> Facts:
    return Facts(kind="pickup", due=PICKUP_DUE, reached=reached, excuse=excuse, picked_up=None)


def judged(facts: Facts, *remarks: tuple[float, str], of_pickup: Facts | None = None) -> Attribution:
    scan_remarks = [Remark(at(hours), reason, text=f"said {reason}") for hours, reason in remarks]
    return attribute(facts, pickup=of_pickup, remarks=scan_remarks, now=at(NOW))


LATE_PICKUP = pickup(reached=9)
CASES = [
    # what happened, the commitment, its pickup, reasons of scans -> party, ground
    ("nothing is said", Facts(), pickup(), [], "courier", "nobody_else"),
    ("never came", Facts(reached=None, picked_up=None), pickup(None), [], "courier", "nobody_else"),
    ("line-haul was late", Facts(), pickup(), [(20, "courier_late_linehaul")], "courier", "scan"),
    ("a typhoon held it", Facts(), pickup(), [(20, "weather_typhoon")], "weather", "scan"),
    ("customs held it", Facts(), pickup(), [(20, "customs_inspection")], "customs", "scan"),
    ("the road was closed", Facts(), pickup(), [(20, "force_majeure_other")], "force_majeure", "scan"),
    ("recipient put it off", Facts(), pickup(), [(20, "consignee_rescheduled")], "consignee", "scan"),
    ("address was bad", Facts(), pickup(), [(20, "merchant_bad_data")], "merchant", "scan"),
    ("held as it fell due", Facts(), pickup(), [(30, "weather_snow")], "weather", "scan"),
    ("storm after it fell due", Facts(), pickup(), [(30.01, "weather_snow")], "courier", "nobody_else"),
    ("absent, but too late", Facts(), pickup(), [(40, "consignee_absent")], "courier", "nobody_else"),
    ("storm, then a breakdown", Facts(), pickup(), [(25, "courier_vehicle"), (12, "weather_flood")],
     "courier", "scan"),
    ("breakdown, then a storm", Facts(), pickup(), [(12, "courier_vehicle"), (25, "weather_flood")],
     "weather", "scan"),
    ("reasons nobody knows", Facts(), pickup(), [(12, "gremlins"), (13, "")], "courier", "nobody_else"),
    ("a name alone is no prefix", Facts(), pickup(), [(12, "merchant")], "courier", "nobody_else"),
    ("excused for the weather", Facts(excuse="weather"), pickup(), [], "weather", "excuse"),
    ("excused for a disaster", Facts(excuse="disaster"), pickup(), [], "force_majeure", "excuse"),
    ("an excuse outweighs scans", Facts(excuse="merchant_bad_data"), pickup(), [(20, "courier_vehicle")],
     "merchant", "excuse"),
    ("excused: recipient refused", Facts(excuse="consignee_refused"), pickup(), [], "consignee", "excuse"),
    ("merchant was not ready", Facts(), LATE_PICKUP, [(5, "merchant_not_ready")], "merchant", "scan"),
    ("late pickup, nobody blamed", Facts(), LATE_PICKUP, [], "courier", "nobody_else"),
    ("late pickup, excused", Facts(), pickup(9, "merchant_not_ready"), [], "merchant", "handed_over_late"),
    ("late pickup, blamed later", Facts(), LATE_PICKUP, [(7, "merchant_packaging")], "merchant", "scan"),
    ("punctual pickup, excused", Facts(), pickup(6, "merchant_not_ready"), [], "courier", "nobody_else"),
    ("not picked up, pickup excused", Facts(reached=None, picked_up=None), pickup(None, "weather"), [],
     "weather", "handed_over_late"),
    ("the pickup itself", pickup(9), None, [], "courier", "nobody_else"),
    ("the pickup, merchant not ready", pickup(9), None, [(6, "merchant_not_ready")], "merchant", "scan"),
    ("the pickup, excused", pickup(9, "merchant_not_ready"), None, [], "merchant", "excuse"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "of_pickup", "remarks", "party", "ground"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_breach_is_attributed(
    facts: Facts, of_pickup: Facts | None, remarks: list[tuple[float, str]], party: str, ground: str
) -> None:
    attribution = judged(facts, *remarks, of_pickup=of_pickup)
    assert (attribution.party, attribution.ground) == (party, ground)


# The commitment, its pickup -> hours of each leg ("+": not over), the leg that counts.
LEGS = [
    (Facts(picked_up=5, out=35), "waiting 5, linehaul 30, last_mile 5", Leg.LINEHAUL),
    (Facts(picked_up=2, out=8), "waiting 2, linehaul 6, last_mile 32", Leg.LAST_MILE),
    (Facts(picked_up=2, arrived=10), "waiting 2, linehaul 8, last_mile 30", Leg.LAST_MILE),
    (Facts(picked_up=2, arrived=10, reached=None), "waiting 2, linehaul 58+", Leg.LINEHAUL),
    (Facts(picked_up=2, out=10, reached=None), "waiting 2, linehaul 8, last_mile 50+", Leg.LAST_MILE),
    (Facts(picked_up=None, reached=None), "waiting 5, linehaul 55+", Leg.LINEHAUL),
    (Facts(picked_up=5), "waiting 5, linehaul 35", Leg.LINEHAUL),
    (Facts(picked_up=None, reached=None, out=20), "waiting 5, linehaul 15, last_mile 40+", Leg.LAST_MILE),
    (Facts(picked_up=5, out=4), "waiting 5, linehaul 0, last_mile 36", Leg.LAST_MILE),
    (Facts(ready=None), "", None),
    (pickup(9), "waiting 9", Leg.WAITING),
    (pickup(None), "waiting 60+", Leg.WAITING),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "expected", "counts"), LEGS)
def test_the_legs_say_where_the_time_went(facts: Facts, expected: str, counts: Leg | None) -> None:
    attribution = judged(facts, of_pickup=None if facts.kind == "pickup" else pickup())
    texts = [f"{leg.leg} {leg.time / timedelta(hours=1):g}{'+' * leg.open}" for leg in attribution.legs]
    assert (", ".join(texts), attribution.leg) == (expected, counts)


# Picked up three hours late, and at the door so many hours after booking: it was due after 30.
@pytest.mark.parametrize(
    ("reached", "counts"),
    [(31, Leg.WAITING), (33, Leg.WAITING), (33.1, Leg.LINEHAUL), (40, Leg.LINEHAUL)],
)
def test_the_wait_counts_where_a_punctual_pickup_would_have_saved_it(reached: float, counts: Leg) -> None:
    attribution = judged(Facts(picked_up=9, out=30, reached=reached), of_pickup=LATE_PICKUP)
    assert (attribution.pickup_late, attribution.leg) == (timedelta(hours=3), counts)


def test_of_a_lost_parcel_the_leg_it_was_lost_in_counts() -> None:
    assert judged(Facts(picked_up=9, reached=None), of_pickup=LATE_PICKUP).leg == Leg.LINEHAUL


def test_attribution_is_explained_in_sentences() -> None:
    attribution = judged(Facts(picked_up=9, out=39), of_pickup=LATE_PICKUP)
    assert attribution.why == (
        "No exemption was granted, and no scan before the due time names another party. Picked "
        "up 3 h after the promised pickup. Time spent: waiting for pickup 9 h; "
        "line-haul and sorting 1 d 6 h; last mile 1 h."
    )
    assert (
        "before the due time: said weather_typhoon"
        in judged(Facts(), (20, "weather_typhoon"), of_pickup=pickup()).why
    )
    assert "An exemption was granted: Weather." in judged(Facts(excuse="weather"), of_pickup=pickup()).why
    assert "so far" in judged(Facts(reached=None), of_pickup=pickup()).why


@pytest.mark.parametrize("reason", ExcuseReason.values)
def test_every_reason_of_an_excuse_names_a_party(reason: str) -> None:
    assert party_of(reason) in set(Party) - {Party.COURIER}


hours = st.floats(0, 100)
remarks = st.lists(st.tuples(hours, st.sampled_from(["weather_snow", "courier_vehicle", "odd", "customs_x"])))


@given(told=remarks, out=st.none() | hours, picked_up=st.none() | hours, reached=st.none() | hours)
def test_neither_order_nor_later_scans_nor_odd_times_matter(
    told: list[tuple[float, str]], out: float | None, picked_up: float | None, reached: float | None
) -> None:
    facts = Facts(reached=reached, picked_up=picked_up, out=out)
    attribution = judged(facts, *told, of_pickup=pickup())
    assert judged(facts, *reversed(told), of_pickup=pickup()).ground == attribution.ground
    before = [remark for remark in told if remark[0] <= DUE]
    assert judged(facts, *before, of_pickup=pickup()) == attribution
    assert (attribution.ground == Ground.NOBODY_ELSE) == all(reason == "odd" for _hours, reason in before)
    assert all(leg.time >= timedelta() for leg in attribution.legs)
