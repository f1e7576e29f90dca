"""Checks of scorecard rules. Pure: takes rules as stored and yields their problems."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext as _

from alliance.errors import FieldError
from slas.choices import ScoreComponent
from slas.scorecards.rules import EARNED

MOST_BANDS: Final = 12
MOST_VOLUME: Final = 1_000_000


def problems(
    *,
    weights: Mapping[str, Any],
    bands: Mapping[str, Sequence[Any]],
    grades: Mapping[str, Any],
    minimum_volume: int,
) -> Iterator[FieldError]:
    """Yield the problems, each with a pointer into the stored form."""
    yield from _weight_problems(weights)
    yield from _unknown_names("bands", bands, ScoreComponent.values)
    for name in ScoreComponent.values:
        yield from _band_problems(name, bands.get(name, ()))
    yield from _grade_problems(grades)
    if not 1 <= minimum_volume <= MOST_VOLUME:
        message = _("From 1 to %(most)s.") % {"most": f"{MOST_VOLUME:,}"}
        yield FieldError("/minimum_volume", message, "range")


def _unknown_names(
    section: str, values: Mapping[str, Any], known_names: Sequence[str]
) -> Iterator[FieldError]:
    for name in values:
        if name not in known_names:
            message = _("Unknown component “%(name)s”.") % {"name": name}
            yield FieldError(f"/{section}/{name}", message, "unknown")


def _weight_problems(weights: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from _unknown_names("weights", weights, ScoreComponent.values)
    is_valid = True
    for name in ScoreComponent.values:
        if not _is_share(weights.get(name)):
            is_valid = False
            yield FieldError(f"/weights/{name}", _("A whole number from 0 to 100."), "range")
    total = sum(weights[name] for name in ScoreComponent.values) if is_valid else 100
    if total != 100:
        message = _("The weights add up to %(total)d, not to 100.") % {"total": total}
        yield FieldError("/weights", message, "sum")


def _band_problems(name: str, rows: Sequence[Any]) -> Iterator[FieldError]:
    pointer = f"/bands/{name}"
    if not 1 <= len(rows) <= MOST_BANDS:
        message = _("Enter 1 to %(most)d bands.") % {"most": MOST_BANDS}
        yield FieldError(pointer, message, "count")
        return
    if any(not 0 <= threshold <= 1 for threshold, _points in rows):
        yield FieldError(pointer, _("A share must be from 0 to 100 percent."), "range")
    if any(not _is_share(points) for _threshold, points in rows):
        yield FieldError(pointer, _("Points must be whole numbers from 0 to 100."), "range")
        return
    thresholds = [row[0] for row in rows]
    lower = ScoreComponent(name).lower_is_better
    if lower and not _is_descending(thresholds[::-1]):
        yield FieldError(
            pointer, _("Lower is better here: each line's share must be above the last."), "order"
        )
    if not lower and not _is_descending(thresholds):
        yield FieldError(pointer, _("Best first: each line's share must be below the last."), "order")
    if not _is_descending([points for _threshold, points in rows]):
        yield FieldError(pointer, _("Best first: each line must give fewer points than the last."), "order")


def _grade_problems(grades: Mapping[str, Any]) -> Iterator[FieldError]:
    names = [grade.value for grade in EARNED]
    for name in grades:
        if name not in names:
            message = _("Unknown grade “%(name)s”.") % {"name": name}
            yield FieldError(f"/grades/{name}", message, "unknown")
    invalid = [name for name in names if not _is_share(grades.get(name))]
    for name in invalid:
        yield FieldError(f"/grades/{name}", _("A whole number from 0 to 100."), "range")
    if invalid:
        return
    for better, worse in zip(EARNED, EARNED[1:], strict=False):
        if grades[better] <= grades[worse]:
            message = _("Must be below %(grade)s, which needs %(least)d.") % {
                "grade": better.label, "least": grades[better]
            }  # fmt: skip
            yield FieldError(f"/grades/{worse.value}", message, "order")


def _is_share(value: Any) -> bool:
    """Whether it is a whole number from 0 to 100; booleans are not."""
    return type(value) is int and 0 <= value <= 100


def _is_descending(numbers: Sequence[float]) -> bool:
    return all(before > after for before, after in zip(numbers, numbers[1:], strict=False))
