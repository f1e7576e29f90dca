"""Compute scorecards every night from the folded cells, freeze them after the dispute window, grade couriers.

Reads cells, never parcels: the cost of a month does not depend on the number of parcels.
"""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from alliance import audit, events
from alliance.locks import Lock, try_to_take
from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.models import Courier
from slas.choices import Measure
from slas.commitments.histograms import bin_of
from slas.scorecards.models import Scorecard, ScoreRules
from slas.scorecards.rules import Card, Counts, Month, final_on, judge_month, measure, month_after, month_of
from slas.scorecards.services.versions import rules_for

_UPDATED_FIELDS = ("rules", "components", "score", "n", "grade", "rank", "ranked", "computed_at", "frozen_at")

# In the order of Counts, whose last field is counted by _VERY_LATE.
_COUNTS = """
    SELECT organisation_id,
        coalesce(sum(met) FILTER (WHERE kind = 'delivery'), 0),
        coalesce(sum(late) FILTER (WHERE kind = 'delivery'), 0),
        coalesce(sum(overdue) FILTER (WHERE kind = 'delivery'), 0),
        coalesce(sum(excused) FILTER (WHERE kind = 'delivery'), 0),
        coalesce(sum(attempted) FILTER (WHERE kind = 'delivery'), 0),
        coalesce(sum(first_attempt) FILTER (WHERE kind = 'delivery'), 0),
        coalesce(sum(within_72h) FILTER (WHERE kind = 'delivery'), 0),
        coalesce(sum(met) FILTER (WHERE kind = 'pickup'), 0),
        coalesce(sum(late + overdue) FILTER (WHERE kind = 'pickup'), 0),
        coalesce(sum(excused) FILTER (WHERE kind = 'pickup'), 0)
    FROM slas_ontimerate
    WHERE counterpart_id IS NULL AND due_date >= %(first)s AND due_date < %(next)s
    GROUP BY 1 ORDER BY 1
"""
_VERY_LATE = f"""
    SELECT organisation_id, sum(count) FROM slas_histogrambin
    WHERE counterpart_id IS NULL AND measure = {Measure.LATENESS.value} AND kind = 'delivery'
        AND bin > {bin_of(timedelta(days=1))} AND due_date >= %(first)s AND due_date < %(next)s
    GROUP BY 1
"""  # noqa: S608 -- built of constants


class Refreshed(NamedTuple):
    """How many scorecards were computed, how many of them are final, and how many couriers changed grade."""

    cards: int = 0
    final: int = 0
    grades: int = 0
    busy: bool = False


def refresh_scorecards(*, now: datetime) -> Refreshed:
    """Compute the scorecards of every month that is not final, and grade couriers by the newest final one.

    May run twice, side by side, or be killed: a month is written completely or not at all, a final one is
    never written again, and changes a grade once.
    """
    today = timezone.localdate(now)
    cards = final = 0
    for month in _open_months(today):
        with scope(Scope.everything()):
            if not try_to_take(Lock.WRITE_SCORECARDS):
                return Refreshed(cards, final, busy=True)
            # Checked again under the lock: another run may just have finished the month.
            if Scorecard.objects.filter(month=month, frozen_at__isnull=False).exists():
                continue
            is_final = today >= final_on(month)
            count = _write(month, now=now, frozen_at=now if is_final else None)
        cards += count
        final += count if is_final else 0
    with scope(Scope.everything()):
        grades = _grade_couriers(now)
    return Refreshed(cards, final, grades)


def measure_months(month: date) -> dict[int, Month]:
    """Return each courier's components of a month, by courier."""
    days = {"first": month, "next": month_after(month)}
    very_late = dict(raw_rows(_VERY_LATE, days))
    return {
        courier_id: measure(Counts(*[*counts, very_late.get(courier_id, 0)]))
        for courier_id, *counts in raw_rows(_COUNTS, days)
    }


def _open_months(today: date) -> list[date]:
    """The months with due promises that are not final, the oldest first."""
    with scope(Scope.everything()):
        rows = raw_rows(
            """
            SELECT month::date FROM (
                SELECT DISTINCT date_trunc('month', due_date::timestamp) AS month FROM slas_ontimerate
                WHERE counterpart_id IS NULL AND due_date < %s
            ) AS due
            WHERE NOT EXISTS (
                SELECT 1 FROM slas_scorecard s WHERE s.month = due.month::date AND s.frozen_at IS NOT NULL)
            ORDER BY 1
            """,
            [month_after(month_of(today))],
        )
    return [month for (month,) in rows]


def _write(month: date, *, now: datetime, frozen_at: datetime | None) -> int:
    """Write a month's scorecards, replacing existing ones."""
    version = rules_for(month)
    cards = judge_month(measure_months(month), version.rules)
    rows = [_row(courier_id, month, card, version, now, frozen_at) for courier_id, card in cards.items()]
    Scorecard.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["courier", "month"], update_fields=_UPDATED_FIELDS
    )
    return len(rows)


def _row(
    courier_id: int,
    month: date,
    card: Card,
    version: ScoreRules,
    now: datetime,
    frozen_at: datetime | None,
) -> Scorecard:
    return Scorecard(
        courier_id=courier_id,
        month=month,
        rules=version,
        components={
            name.value: {"value": component.value, "n": component.n}
            for name, component in card.month.components.items()
        },
        score=card.score,
        n=card.month.volume,
        grade=card.grade or "",
        rank=card.rank,
        ranked=card.ranked,
        computed_at=now,
        frozen_at=frozen_at,
    )


def _grade_couriers(now: datetime) -> int:
    """Give each courier the grade of its newest final scorecard that has one; return how many changed."""
    changes = 0
    for courier_id, month, score, grade, old_grade in raw_rows(
        """
        SELECT * FROM (
            SELECT DISTINCT ON (s.courier_id) s.courier_id, s.month, s.score, s.grade, k.grade AS old
            FROM slas_scorecard s JOIN couriers_courier k ON k.organisation_id = s.courier_id
            WHERE s.frozen_at IS NOT NULL AND s.grade <> ''
            ORDER BY s.courier_id, s.month DESC
        ) AS newest WHERE grade <> old
        """
    ):
        # Of two concurrent runs one changes the row; the other no longer finds the old grade.
        if Courier.objects.filter(pk=courier_id, grade=old_grade).update(grade=grade):
            changes += 1
            _record_grade(
                courier_id,
                {"from": old_grade, "to": grade, "month": f"{month:%Y-%m}", "score": str(score)},
                now,
            )
    return changes


def _record_grade(courier_id: int, detail: dict[str, str], now: datetime) -> None:
    event = events.NewEvent(events.Topic.COURIER_GRADED, courier_id=courier_id, payload=detail)
    events.record([event], at=now)
    audit.record(
        actor=Actor.system("scorecards"),
        verb="courier.graded",
        object_type="courier",
        object_id=courier_id,
        organisation_id=courier_id,
        detail=detail,
    )
