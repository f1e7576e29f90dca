"""Compare a run to a stored one, and decide whether it is worse than noise."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rows import Row, markdown, number

# Two runs on a quiet machine differ by less; use more on a busy one.
TOLERANCE = 0.15


@dataclass(frozen=True, slots=True)
class Change:
    """A row before and after. `by` is the relative improvement; negative if worse."""

    key: str
    before: Row
    after: Row
    by: float
    # Whether ratios to the floor were compared, which are valid on any machine, or absolute figures.
    of_ratios: bool

    def is_worse(self, tolerance: float) -> bool:
        return self.by < -tolerance


def changes(before: Sequence[Row], after: Sequence[Row]) -> list[Change]:
    """Compare the rows that are in both runs."""
    rows_by_key = {row.key: row for row in before}
    return [_change(rows_by_key[row.key], row) for row in after if row.key in rows_by_key]


def report(before: Sequence[Row], after: Sequence[Row], *, tolerance: float = TOLERANCE) -> tuple[str, bool]:
    """Return the changes as text, and whether a ratio fell by more than `tolerance`.

    Absolute figures are shown but not judged: they may be of two machines, or of two days on one.
    """
    all_changes = changes(before, after)
    worse = [change for change in all_changes if change.of_ratios and change.is_worse(tolerance)]
    lines = [
        markdown(
            ("what", "stored", "now", "change", "of", ""), [_line(each, tolerance) for each in all_changes]
        )
    ]
    stored_keys, new_keys = {row.key for row in before}, {row.key for row in after}
    lines += [f"Only stored: {key}" for key in sorted(stored_keys - new_keys)]
    lines += [f"New: {key}" for key in sorted(new_keys - stored_keys)]
    if not all_changes:
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
        figures, of = [f"{row.ratio:.2f}" for row in (before, after)], "ratio"
    else:
        figures, of = [f"{number(row.ours)} {row.unit}" for row in (before, after)], "figure"
    word = "worse" if change.is_worse(tolerance) else "better" if change.by > tolerance else ""
    return (change.key, *figures, f"{change.by:+.0%}", of, word)
