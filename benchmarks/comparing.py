"""A run beside a stored one: what changed, and whether that is worse than chance allows."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rows import Row, markdown, number

# Two runs on a quiet machine differ by less; on a busy one, take more.
TOLERANCE = 0.15


@dataclass(frozen=True, slots=True)
class Change:
    """One row then and now. `by` is the share it got better (or, below zero, worse) by."""

    key: str
    before: Row
    after: Row
    by: float
    # Whether rates to the floor were compared, which mean the same on any machine, or bare figures.
    of_ratios: bool

    def is_worse(self, tolerance: float) -> bool:
        return self.by < -tolerance


def changes(before: Sequence[Row], after: Sequence[Row]) -> list[Change]:
    """Compare the rows that both runs have."""
    stored = {row.key: row for row in before}
    return [_change(stored[row.key], row) for row in after if row.key in stored]


def report(before: Sequence[Row], after: Sequence[Row], *, tolerance: float = TOLERANCE) -> tuple[str, bool]:
    """Return what changed as text, and whether a ratio fell by more than `tolerance`.

    Bare figures are shown, and judge nothing: they are of two machines, or of two days of one.
    """
    found = changes(before, after)
    worse = [change for change in found if change.of_ratios and change.is_worse(tolerance)]
    lines = [
        markdown(("what", "stored", "now", "change", "of", ""), [_line(each, tolerance) for each in found])
    ]
    stored, now = {row.key for row in before}, {row.key for row in after}
    lines += [f"Only stored: {key}" for key in sorted(stored - now)]
    lines += [f"New: {key}" for key in sorted(now - stored)]
    if not found:
        lines.append("Nothing in common to compare.")
    elif worse:
        lines.append(f"WORSE by more than {tolerance:.0%}: {'; '.join(change.key for change in worse)}.")
    else:
        lines.append(f"No ratio fell by more than {tolerance:.0%}.")
    return "\n".join(line for line in lines if line), bool(worse)


def _change(before: Row, after: Row) -> Change:
    of_ratios = bool(before.ratio and after.ratio)
    then, now = (before.ratio, after.ratio) if of_ratios else (before.ours, after.ours)
    by = (now or 0) / then - 1 if then else 0.0
    return Change(after.key, before, after, by if after.is_rate else -by, of_ratios)


def _line(change: Change, tolerance: float) -> tuple[str, ...]:
    before, after = change.before, change.after
    if change.of_ratios:
        shown, of = [f"{row.ratio:.2f}" for row in (before, after)], "ratio"
    else:
        shown, of = [f"{number(row.ours)} {row.unit}" for row in (before, after)], "figure"
    word = "worse" if change.is_worse(tolerance) else "better" if change.by > tolerance else ""
    return (change.key, *shown, f"{change.by:+.0%}", of, word)
