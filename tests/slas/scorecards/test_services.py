"""Scorecards: worked out from the cells, final after the dispute window, and what couriers are graded by."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from alliance.models import AuditEntry, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.models import Courier
from slas.models import OnTimeRate, Scorecard, ScoreRules
from slas.scorecards.rules import month_after
from slas.scorecards.services.scorecards import Refreshed, refresh_scorecards
from slas.scorecards.services.versions import RulesDraft, add_rules, rules_for
from slas.tasks import refresh_scorecards as task
from tests import factories
from tests.slas.helpers.scorecards import (
    GOLD,
    LAST,
    OLD,
    PROBATION,
    SILVER,
    THIS,
    card,
    cards,
    count,
    final_night,
    on,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def rival(rival_courier: Organisation) -> Organisation:
    return rival_courier


def grade(courier: Organisation) -> str:
    with scope(Scope.everything()):
        return Courier.objects.get(pk=courier.pk).grade


# --- working a month out ----------------------------------------------------------------------


def test_a_month_is_worked_out_from_the_couriers_cells(swift: Organisation) -> None:
    # 940 of 1,000 on time, ten of the others excused; 20 late by more than a day, 5 missing.
    deliveries = {"met": 940, "late": 55, "overdue": 5, "excused": 10, "attempted": 995,
                  "first_attempt": 900, "within_72h": 930}  # fmt: skip
    count(swift, OLD, deliveries, pickups={"met": 970, "late": 20, "overdue": 10}, over_a_day=20)
    # Of other months, grains and kinds: not counted.
    count(swift, month_after(OLD), {"late": 500})
    with scope(Scope.everything()):
        cell = OnTimeRate.objects.filter(due_date=OLD.replace(day=15), kind="delivery").get()
        cell.pk, cell.counterpart_id, cell.late = None, swift.pk, 9_999
        cell.save()
    refresh_scorecards(now=on(OLD.replace(day=20)))
    scorecard = card(swift, OLD)
    assert scorecard.components == {
        "delivery_on_time": {"value": 0.9495, "n": 990},
        "pickup_on_time": {"value": 0.97, "n": 1000},
        "first_attempt": {"value": 0.9045, "n": 995},
        "within_72h": {"value": 0.93, "n": 1000},
        "lateness": {"value": 0.025, "n": 1000},
    }
    # (40 x 80 + 15 x 80 + 15 x 50 + 15 x 90 + 15 x 50) / 100.
    assert (scorecard.score, scorecard.grade, scorecard.n) == (Decimal("72.50"), "member", 1000)
    assert (scorecard.rank, scorecard.ranked, scorecard.rules.number, scorecard.is_final) == (1, 1, 1, False)


def test_counts_of_several_days_lanes_and_tiers_add_up(swift: Organisation) -> None:
    count(swift, OLD, {"met": 60, "late": 40}, day=1)
    count(swift, OLD, {"met": 90, "late": 10}, day=28)
    refresh_scorecards(now=on(OLD.replace(day=28)))
    assert card(swift, OLD).components["delivery_on_time"] == {"value": 0.75, "n": 200}


def test_month_without_judged_deliveries_has_no_score(swift: Organisation) -> None:
    count(swift, OLD, {"pending": 30})
    refresh_scorecards(now=on(OLD.replace(day=2)))
    scorecard = card(swift, OLD)
    assert (scorecard.score, scorecard.grade, scorecard.rank, scorecard.n) == (None, "", None, 0)


def test_couriers_are_ranked_and_the_small_are_left_out(swift: Organisation, rival: Organisation) -> None:
    small = factories.courier_organisation(name="Small Parcels")
    count(swift, OLD, SILVER)
    count(rival, OLD, GOLD)
    count(small, OLD, {"met": 99})
    refresh_scorecards(now=final_night(OLD))
    places = {name: (card(one, OLD).rank, card(one, OLD).ranked, card(one, OLD).grade)
              for name, one in (("swift", swift), ("rival", rival), ("small", small))}  # fmt: skip
    assert places == {"rival": (1, 2, "gold"), "swift": (2, 2, "silver"), "small": (None, 2, "")}
    # Nothing was wrong, and yet nothing changes: too few.
    assert grade(small) == "member"


def test_running_again_finds_the_same(swift: Organisation, rival: Organisation) -> None:
    count(swift, OLD, SILVER)
    count(rival, month_after(OLD), GOLD)
    # One month is final by now, the other is not.
    now = final_night(OLD)
    assert refresh_scorecards(now=now) == Refreshed(cards=2, final=1, grades=1)
    before = [(one.pk, one.score, one.rank, one.frozen_at) for one in cards()]
    assert refresh_scorecards(now=now + timedelta(minutes=1)) == Refreshed(cards=1)
    assert [(one.pk, one.score, one.rank, one.frozen_at) for one in cards()] == before


def test_a_provisional_month_follows_its_cells(swift: Organisation) -> None:
    count(swift, OLD, SILVER)
    refresh_scorecards(now=on(OLD.replace(day=20)))
    low = card(swift, OLD).score
    with scope(Scope.everything()):
        OnTimeRate.objects.filter(kind="delivery").update(excused=50)
    refresh_scorecards(now=on(OLD.replace(day=21)))
    assert card(swift, OLD).score > low


def test_months_to_come_are_not_scored(swift: Organisation) -> None:
    count(swift, THIS, {"pending": 5})
    refresh_scorecards(now=on(LAST.replace(day=28)))
    assert cards() == []


# --- final ------------------------------------------------------------------------------------


def test_a_month_becomes_final_on_its_day_and_not_before(swift: Organisation) -> None:
    count(swift, OLD, SILVER)
    assert refresh_scorecards(now=final_night(OLD) - DAY).final == 0
    assert card(swift, OLD).frozen_at is None
    assert refresh_scorecards(now=final_night(OLD)) == Refreshed(cards=1, final=1, grades=1)
    assert card(swift, OLD).frozen_at == final_night(OLD)


def test_months_missed_are_caught_up_with_oldest_first(swift: Organisation) -> None:
    """The worker was down for weeks: the newest final month gives the grade, once."""
    count(swift, OLD, GOLD)
    count(swift, month_after(OLD), PROBATION)
    result = refresh_scorecards(now=final_night(month_after(OLD)))
    assert (result.final, result.grades) == (2, 1)
    assert grade(swift) == "probation"


def test_final_scorecard_never_changes(swift: Organisation, rival: Organisation, system: Actor) -> None:
    count(swift, OLD, SILVER)
    refresh_scorecards(now=final_night(OLD))
    kept = card(swift, OLD)
    # Excuses come late, a scan is corrected, another courier's history is imported, rules change.
    with scope(Scope.everything()):
        OnTimeRate.objects.filter(kind="delivery").update(excused=50)
        add_rules(
            actor=system,
            draft=RulesDraft.of(rules_for(OLD)),
            valid_from=month_after(OLD, 2),
            now=final_night(OLD),
        )
    count(swift, OLD, GOLD)
    count(rival, OLD, GOLD)
    for days in (1, 30, 400):
        refresh_scorecards(now=final_night(OLD) + days * DAY)
    after = card(swift, OLD)
    for name in ("score", "rank", "ranked", "components", "grade", "computed_at", "frozen_at", "rules_id"):
        assert getattr(after, name) == getattr(kept, name), name
    # The month is closed as a whole: who comes late is not squeezed into a ranking that was published.
    assert [one.courier_id for one in cards() if one.month == OLD] == [swift.pk]


@pytest.mark.parametrize("deed", ["score = 1", "frozen_at = NULL", "grade = 'gold'"])
def test_the_database_keeps_final_scorecards(swift: Organisation, deed: str) -> None:
    count(swift, OLD, SILVER)
    refresh_scorecards(now=final_night(OLD))
    for sql in (f"UPDATE slas_scorecard SET {deed}", "DELETE FROM slas_scorecard"):
        with (
            pytest.raises(IntegrityError, match="final"),
            scope(Scope.everything()),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)


def test_the_database_keeps_rules() -> None:
    with pytest.raises(IntegrityError, match="never edited"), transaction.atomic():
        ScoreRules.objects.update(minimum_volume=1)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"month": date(2026, 10, 2)}, "scorecard_of_a_month"),
        ({"score": Decimal("100.01")}, "scorecard_score_in_range"),
        ({"score": Decimal(-1)}, "scorecard_score_in_range"),
        ({"grade": "", "rank": 1}, "scorecard_graded_is_ranked"),
        ({"grade": "gold", "rank": None}, "scorecard_graded_is_ranked"),
        ({"grade": "gold", "score": None}, "scorecard_graded_is_ranked"),
        ({"grade": "platinum"}, "scorecard_graded_is_ranked"),
        ({"rank": 3}, "scorecard_graded_is_ranked"),
        ({"rank": 0}, "scorecard_graded_is_ranked"),
    ],
)
def test_database_enforces_scorecard_constraints(
    swift: Organisation, everything: None, wrong: dict[str, object], name: str
) -> None:
    values = {"month": OLD, "components": {}, "score": Decimal(90), "n": 100, "grade": "gold", "rank": 1,
              "ranked": 2, "computed_at": on(OLD), "rules": ScoreRules.objects.get()}  # fmt: skip
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Scorecard.objects.create(courier_id=swift.pk, **{**values, **wrong})
    Scorecard.objects.create(courier_id=swift.pk, **values)


# --- grades -----------------------------------------------------------------------------------


def test_the_newest_final_scorecard_gives_the_grade_and_tells(swift: Organisation) -> None:
    count(swift, OLD, SILVER)
    refresh_scorecards(now=final_night(OLD) - DAY)
    assert grade(swift) == "member"
    refresh_scorecards(now=final_night(OLD))
    assert grade(swift) == "silver"
    refresh_scorecards(now=final_night(OLD) + DAY)
    payload = {
        "from": "member",
        "to": "silver",
        "month": f"{OLD:%Y-%m}",
        "score": str(card(swift, OLD).score),
    }
    with scope(Scope.everything()):
        [event] = Event.objects.filter(topic="courier.graded")
        [entry] = AuditEntry.objects.filter(verb="courier.graded")
    assert (event.courier_id, event.merchant_id, event.payload) == (swift.pk, None, payload)
    assert (entry.organisation_id, entry.actor_label, entry.detail) == (swift.pk, "scorecards", payload)


def test_a_month_too_small_to_be_graded_leaves_the_grade(swift: Organisation) -> None:
    after = month_after(OLD)
    count(swift, OLD, GOLD)
    count(swift, after, {"overdue": 99})
    refresh_scorecards(now=final_night(after))
    assert card(swift, after).score == Decimal("0.00")
    assert grade(swift) == "gold"


def test_grade_change_is_sent_to_the_courier_only(swift: Organisation, rival: Organisation) -> None:
    count(swift, OLD, GOLD)
    refresh_scorecards(now=final_night(OLD))
    with scope(Scope.courier(swift.pk)):
        assert Event.objects.filter(topic="courier.graded").count() == 1
    with scope(Scope.courier(rival.pk)):
        assert not Event.objects.filter(topic="courier.graded").exists()
        assert not Scorecard.objects.exists()


# --- the task ---------------------------------------------------------------------------------


def test_the_task_notes_that_it_ran(swift: Organisation) -> None:
    count(swift, THIS, SILVER)
    assert task() == 1
    assert task() == 1


@pytest.mark.django_db(transaction=True)
def test_two_runs_side_by_side_freeze_and_grade_once(swift: Organisation, rival: Organisation) -> None:
    count(swift, OLD, GOLD)
    count(rival, OLD, PROBATION)

    def run(_number: int) -> Refreshed:
        try:
            return refresh_scorecards(now=final_night(OLD))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        result = list(pool.map(run, range(8)))
    assert sum(one.final for one in result) == 2
    assert sum(one.grades for one in result) == 2
    assert (grade(swift), grade(rival)) == ("gold", "probation")
    with scope(Scope.everything()):
        assert Event.objects.filter(topic="courier.graded").count() == 2
