"""The order of offers, and the reasons: records, grades, probation, price."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couriers.choices import Grade
from slas.offers.ranking import NO_RECORD, Merit, Reason, Record, rank_key, reason_for
from slas.offers.texts import grade_text, reason_text

GOOD, FAIR, POOR = Record(met=1_000), Record(met=950, late=50), Record(met=500, late=500)
GOLD, SILVER, MEMBER, PROBATION = Grade.GOLD, Grade.SILVER, Grade.MEMBER, Grade.PROBATION


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        # A better record outweighs any grade but probation, and any price.
        ((GOOD, MEMBER, 2_000), (FAIR, GOLD, 100)),
        # Of equal records the better grade, whatever the price.
        ((GOOD, GOLD, 2_000), (GOOD, SILVER, 100)),
        ((GOOD, SILVER, 2_000), (GOOD, MEMBER, 100)),
        ((NO_RECORD, GOLD, 2_000), (NO_RECORD, MEMBER, 100)),
        # Equal to a tenth of a percent is equal: 99.6 % and a hair less.
        ((Record(met=100_000, late=30), GOLD, 2_000), (Record(met=100_000, late=20), MEMBER, 100)),
        # Of equal records and grades the lower price.
        ((GOOD, GOLD, 100), (GOOD, GOLD, 101)),
        # Probation comes last.
        ((POOR, MEMBER, 9_000), (GOOD, PROBATION, 100)),
        ((NO_RECORD, MEMBER, 9_000), (GOOD, PROBATION, 100)),
        # Among those on probation, as among all.
        ((GOOD, PROBATION, 9_000), (FAIR, PROBATION, 100)),
    ],
)
def test_offers_are_ranked_by_record_grade_and_price(
    better: tuple[Record, Grade, int], worse: tuple[Record, Grade, int]
) -> None:
    keys = [rank_key(Merit(record, grade), price, 1) for record, grade, price in (better, worse)]
    assert keys[0] < keys[1]


@pytest.mark.parametrize(
    ("best", "others", "on_sale", "reason"),
    [
        ((GOOD, GOLD), [], 0, Reason.ONLY_OFFER),
        ((POOR, PROBATION), [], 0, Reason.ONLY_OFFER),
        ((GOOD, GOLD), [], 2, Reason.ONLY_ROOM),
        ((POOR, PROBATION), [], 2, Reason.ONLY_ROOM),
        ((GOOD, MEMBER), [(FAIR, GOLD)], 1, Reason.ON_TIME),
        ((GOOD, MEMBER), [(FAIR, PROBATION)], 1, Reason.ON_TIME),
        ((FAIR, MEMBER), [(GOOD, PROBATION)], 1, Reason.NOT_ON_PROBATION),
        ((GOOD, MEMBER), [(GOOD, PROBATION)], 1, Reason.NOT_ON_PROBATION),
        ((FAIR, MEMBER), [(FAIR, MEMBER), (GOOD, PROBATION)], 2, Reason.NOT_ON_PROBATION),
        ((GOOD, GOLD), [(GOOD, SILVER), (FAIR, GOLD)], 2, Reason.GRADE),
        ((GOOD, GOLD), [(GOOD, GOLD), (GOOD, SILVER)], 2, Reason.PRICE),
        ((GOOD, PROBATION), [(GOOD, PROBATION)], 1, Reason.PRICE),
        ((GOOD, PROBATION), [(FAIR, PROBATION)], 1, Reason.ON_TIME),
    ],
)
def test_why_the_first_is_recommended(
    best: tuple[Record, Grade], others: list[tuple[Record, Grade]], on_sale: int, reason: Reason
) -> None:
    assert reason_for(Merit(*best), [Merit(*other) for other in others], others_on_sale=on_sale) is reason


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.RULE])
@pytest.mark.parametrize("grade", list(Grade))
def test_every_reason_includes_the_grade(reason: Reason, grade: Grade) -> None:
    text = reason_text(reason, GOOD, grade)
    assert text.endswith(grade_text(grade))
    assert len(text) > len(grade_text(grade)) + 20
    said = "on probation" if grade == PROBATION else f"grade is {grade.label}"
    assert said in grade_text(grade)


@pytest.mark.parametrize("reason", [Reason.ON_TIME, Reason.GRADE, Reason.PRICE])
def test_reason_of_a_courier_without_deliveries_claims_no_record(reason: Reason) -> None:
    text = reason_text(reason, NO_RECORD, GOLD)
    assert "It has not delivered on this lane yet and counts as average." in text
    assert "best on-time record" not in text


def test_offer_not_recommended_has_no_reason() -> None:
    assert reason_text(None, GOOD, GOLD) == ""


counts = st.integers(0, 200)
offers = st.tuples(st.builds(Record, counts, counts, counts), st.sampled_from(Grade), st.integers(1, 500))


@given(st.lists(offers, min_size=2, max_size=6))
def test_order_is_total_and_couriers_on_probation_come_last(
    given_offers: list[tuple[Record, Grade, int]],
) -> None:
    numbered = [
        (rank_key(Merit(record, grade), price, number), grade, record)
        for number, (record, grade, price) in enumerate(given_offers)
    ]
    ranked = sorted(numbered, key=lambda item: item[0])
    assert len({key for key, _grade, _record in ranked}) == len(ranked)
    for (_key, before, good), (_other, after, bad) in itertools.pairwise(ranked):
        if before == PROBATION:
            assert after == PROBATION
        if (before == PROBATION) == (after == PROBATION):
            assert good.score >= bad.score
