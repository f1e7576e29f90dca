"""Replay past forecasts and report their accuracy."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from alliance.tenancy import Scope, raw_rows, scope
from slas.commitments.landmarks import STAGE_COLUMNS, Journey
from slas.forecasts.backtesting import MOMENTS, Method, Past, Report, Score, replay
from slas.forecasts.rules import LOOK_BACK, Basis

_PASTS = f"""
SELECT c.tier_id, c.courier_id, c.origin_id, c.destination_id, c.due_at, c.due_date, c.reached_at,
    {", ".join(f"p.{name}" for name in STAGE_COLUMNS)}
FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.kind = 'delivery' AND c.outcome <> 'void' AND c.due_date BETWEEN %s AND %s
ORDER BY c.due_at, c.parcel_id
"""  # noqa: S608 -- built of constants


class Command(BaseCommand):
    help = "Forecast past deliveries with what was known then, and score the forecasts against what came."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=28, help="Days to replay (28).")
        parser.add_argument(
            "--until", type=date.fromisoformat, help="The last of them; yesterday by default."
        )
        parser.add_argument("--json", action="store_true", help="Print figures instead of tables.")

    def handle(self, *args: Any, **options: Any) -> None:
        today = timezone.localdate()
        last = options["until"] or today - timedelta(days=1)
        if not 1 <= options["days"] <= 366:
            raise CommandError("--days must be from 1 to 366.")
        if last >= today:
            raise CommandError("--until must be a day that is over: what came of later ones nobody knows.")
        first = last - timedelta(days=options["days"] - 1)
        with scope(Scope.everything()):
            pasts = [_past(*row) for row in raw_rows(_PASTS, [first - LOOK_BACK, last])]
        report = replay(pasts, first=first, last=last, zone=ZoneInfo(settings.TIME_ZONE))
        if not report.overall:
            raise CommandError(f"Nothing that fell due from {first} to {last} can be forecast.")
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(report, first, last), indent=2))
        else:
            self.stdout.write("\n".join(_as_text(report, first, last)))


def _past(
    tier_id: int, courier_id: int, origin_id: int, destination_id: int, due_at: Any, due_date: Any,
    reached_at: Any, *stages: Any,
) -> Past:  # fmt: skip
    return Past(
        tier_id, courier_id, origin_id, destination_id, Journey(*stages), due_at, due_date, reached_at
    )


def _as_json(report: Report, first: date, last: date) -> dict[str, Any]:
    return {
        "first": first.isoformat(),
        "last": last.isoformat(),
        "methods": {
            method.value: {
                **_score_json(score),
                "unknown": report.unknown[method],
                "moments": {
                    name: _score_json(report.moments[method, name])
                    for name in MOMENTS
                    if (method, name) in report.moments
                },
                "basis": {
                    basis.value: _score_json(report.bases[method, basis])
                    for basis in Basis
                    if (method, basis) in report.bases
                },
            }
            for method, score in report.overall.items()
        },
    }


def _score_json(score: Score) -> dict[str, Any]:
    return {
        "n": score.n,
        "late": score.late,
        "base_rate": round(score.base_rate, 4),
        "brier": round(score.brier, 4),
        "base_brier": round(score.base_brier, 4),
        "skill": None if score.skill is None else round(score.skill, 4),
        "p50_coverage": round(score.by_p50 / score.n, 4),
        "p90_coverage": round(score.by_p90 / score.n, 4),
        "calibration": [
            {
                "from": band / len(score.bands),
                "n": int(n),
                "said": round(chance_sum / n, 4) if n else None,
                "late": round(late / n, 4) if n else None,
            }
            for band, (n, chance_sum, late) in enumerate(score.bands)
        ],
    }


def _as_text(report: Report, first: date, last: date) -> Iterator[str]:
    yield f"Forecasts of {first} to {last}, made with what was known on each day"
    for method in Method:
        if method in report.overall:
            yield from _method_text(report, method)


def _method_text(report: Report, method: Method) -> Iterator[str]:
    score = report.overall[method]
    yield ""
    yield f"## {method.value}: {score.n:,} forecasts, {report.unknown[method]:,} with nothing known"
    yield ""
    yield "| said | forecasts | mean said | were late |"
    yield "|---|---:|---:|---:|"
    for band, (n, chance_sum, late) in enumerate(score.bands):
        figures = f"{chance_sum / n:.1%} | {late / n:.1%}" if n else "– | –"
        yield f"| {band * 10}-{band * 10 + 10} % | {n:,.0f} | {figures} |"
    yield ""
    yield "| when, or resting on | forecasts | were late | Brier | of base rate | skill | by P50 | by P90 |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    yield _line("all", score)
    yield from (
        _line(name, report.moments[method, name]) for name in MOMENTS if (method, name) in report.moments
    )
    yield from (
        _line(basis.value, report.bases[method, basis]) for basis in Basis if (method, basis) in report.bases
    )


def _line(name: str, score: Score) -> str:
    skill = "–" if score.skill is None else f"{score.skill:+.3f}"
    return (
        f"| {name} | {score.n:,} | {score.base_rate:.1%} | {score.brier:.4f} | {score.base_brier:.4f}"
        f" | {skill} | {score.by_p50 / score.n:.1%} | {score.by_p90 / score.n:.1%} |"
    )
