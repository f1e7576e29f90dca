"""Rows of results, their goals, and their tables."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

# Programs whose memory and processor time are watched.
WEB, WORKER, DATABASE, CLIENT = "web", "worker", "database", "client"


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal of a row: of its ratio to the floor, of its growth, or of memory.

    None is of a rate or a time by itself: machines of one kind differ by three from day to day.
    """

    ratio: float | None = None
    ratio_most: float | None = None
    # The least share of the rate at the smallest size that is left at the largest (of a time: its inverse).
    kept: float | None = None
    # The greatest memory of the worker in MB.
    worker_mb: float | None = None

    def text(self) -> str:
        """Return the goal as text for a table."""
        limits = [
            ("ratio {}", self.ratio),
            ("ratio at most {}", self.ratio_most),
            (
                "within {} % of the smallest size's",
                None if self.kept is None else round(100 - 100 * self.kept),
            ),
            ("worker under {} MB", self.worker_mb),
        ]
        return "; ".join(form.format(f"{value:,g}") for form, value in limits if value is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """One result: our rate (or time), the floor's in the same run, and the resources used."""

    what: str
    ours: float
    floor: float | None = None
    floor_is: str = ""
    goal: Goal | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    unit: str = "/s"
    # The size of the data, for rows measured at several sizes.
    size: int | None = None
    # During this part of the run: the peak PSS of each program in MB ...
    memory: dict[str, float] = field(default_factory=dict)
    # ... and, per item, processor microseconds of each program, and bytes of WAL.
    cost: dict[str, float] = field(default_factory=dict)
    # The ratio within each round, if both sides were measured in turns.
    ratios: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios."""
        if self.ratios:
            return statistics.median(self.ratios)
        return self.ours / self.floor if self.floor else None

    @property
    def spread(self) -> str:
        """The quartiles of the rounds' ratios: if they are far apart, the ratio says little."""
        if len(self.ratios) < 2:
            return ""
        lower, _middle, upper = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return f"{lower:.2f} to {upper:.2f}"

    @property
    def is_rate(self) -> bool:
        """Whether a higher figure is better."""
        return self.unit.endswith("/s")

    @property
    def key(self) -> str:
        """The key of the row, the same in all runs."""
        at = f" at {self.size:,}" if self.size else ""
        floor = f", beside {self.floor_is}" if self.floor_is else ""
        return f"{self.what}{at}{floor}"

    @property
    def missed(self) -> bool:
        """Whether the row misses a goal that does not need other rows."""
        goal, ratio = self.goal or Goal(), self.ratio
        return (
            (goal.ratio is not None and ratio is not None and ratio < goal.ratio)
            or (goal.ratio_most is not None and ratio is not None and ratio > goal.ratio_most)
            or (goal.worker_mb is not None and self.memory.get(WORKER, 0) > goal.worker_mb)
        )

    def text(self) -> str:
        """Return one line for the terminal."""
        parts = [f"{self.key}: {number(self.ours)} {self.unit}"]
        if self.floor and self.ratio:
            spread = f" ({self.spread} in {len(self.ratios)} rounds)" if self.spread else ""
            parts.append(f"floor {number(self.floor)} {self.unit}, ratio {self.ratio:.2f}{spread}")
        if self.goal:
            parts.append(f"goal {self.goal.text()}{' MISSED' if self.missed else ''}")
        if self.memory:
            parts.append("peak " + memory_text(self.memory))
        if self.cost:
            parts.append("each " + ", ".join(f"{name} {number(cost)}" for name, cost in self.cost.items()))
        if self.notes:
            parts.append(", ".join(f"{name} {note}" for name, note in self.notes.items()))
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "missed": self.missed}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return a stored row, without what rows and goals have no more."""
        values = _known(cls, stored)
        goal = _known(Goal, values.pop("goal", None) or {})
        return cls(**values, goal=Goal(**goal) if {*goal.values()} - {None} else None)


def _known(kind: type[Goal | Row], stored: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}


def number(value: float) -> str:
    """Format a rate or a time with significant digits only."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def memory_text(memory: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {peak:,.0f} MB" for name, peak in memory.items())


def table(rows: Iterable[Row]) -> str:
    """Return the table of the rows measured at one size, for the docs."""
    body = [
        (
            row.what,
            f"{number(row.ours)} {row.unit}",
            f"{number(row.floor)} {row.unit}" if row.floor else "",
            row.floor_is,
            f"{row.ratio:.2f}" if row.ratio else "",
            row.spread,
            row.goal.text() if row.goal else "",
            "" if row.goal is None else "no" if row.missed else "yes",
            *(f"{row.memory[name]:,.0f}" if name in row.memory else "" for name in (WEB, WORKER, DATABASE)),
        )
        for row in rows
        if row.size is None
    ]
    heads = (
        "what",
        "ours",
        "floor",
        "floor is",
        "ratio",
        "quartiles",
        "goal",
        "met",
        "web MB",
        "worker MB",
        "database MB",
    )
    return markdown(heads, body)


def growth_table(rows: Iterable[Row]) -> str:
    """Return the table of the rows measured at several sizes: a column per size, and the growth."""
    rows_with_size = [row for row in rows if row.size]
    body = []
    sizes = sorted({row.size for row in rows_with_size if row.size})
    for what in dict.fromkeys(row.what for row in rows_with_size):
        row_by_size = {row.size: row for row in rows_with_size if row.what == what}
        last = row_by_size[max(size for size in row_by_size if size)]
        ratio = growth(list(row_by_size.values()))
        goal = last.goal.text() if last.goal else ""
        body.append(
            (
                what,
                *(
                    f"{number(row_by_size[size].ours)} {last.unit}" if size in row_by_size else ""
                    for size in sizes
                ),
                f"{ratio:.2f}" if ratio else "",
                last.floor_is,
                f"{last.ratio:.2f}" if last.ratio else "",
                last.spread,
                goal,
                ("no" if last.missed or has_fallen(list(row_by_size.values())) else "yes") if goal else "",
            )
        )
    floor = ("floor is", "ratio", "quartiles")
    heads = ("what", *(f"{size:,}" for size in sizes), "last / first", *floor, "goal", "met")
    return markdown(heads, body)


def cost_table(rows: Iterable[Row]) -> str:
    """Return the table of costs per item: processor time by program, bytes of WAL, and latencies."""
    # Once each: rows of the same beside several floors have the same costs.
    with_costs = {
        row.what if row.size is None else f"{row.what}, at {row.size:,}": row for row in rows if row.cost
    }
    body = [
        (
            name,
            *(number(row.cost[name]) if row.cost.get(name) else "" for name in _COSTS),
            *(str(row.notes.get(share, "")) for share in ("p50", "p99")),
        )
        for name, row in with_costs.items()
    ]
    return markdown(("each", *_COSTS, "p50", "p99"), body)


_COSTS = (f"{WEB} us", f"{DATABASE} us", f"{WORKER} us", f"{CLIENT} us", "WAL bytes")


def missed_list(rows: Sequence[Row]) -> str:
    """Return a list of the missed goals."""
    names = missed(rows)
    return "\n".join(f"- {name}" for name in names) if names else "All were met."


def growth(rows: Sequence[Row]) -> float | None:
    """Return the ratio of the figure at the largest size to that at the smallest."""
    by_size = sorted((row for row in rows if row.size), key=lambda row: row.size or 0)
    if len(by_size) < 2 or not by_size[0].ours:
        return None
    return by_size[-1].ours / by_size[0].ours


def has_fallen(rows: Sequence[Row]) -> bool:
    """Tell whether the figure fell with the size by more than its goal allows."""
    ratio, goal = growth(rows), rows[0].goal
    if not ratio or goal is None or goal.kept is None:
        return False
    return (ratio if rows[0].is_rate else 1 / ratio) < goal.kept


def missed(rows: Sequence[Row]) -> list[str]:
    """Return the names of rows that miss their goals."""
    names = [row.key for row in rows if row.missed]
    for what in dict.fromkeys(row.what for row in rows if row.size):
        if has_fallen([row for row in rows if row.what == what]):
            names.append(f"{what}, growing")
    return names


def markdown(heads: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a table without its empty columns; an empty text without rows."""
    lines = list(body)
    columns = [place for place in range(len(heads)) if any(line[place] for line in lines)]
    if not columns:
        return ""
    lines_of_table = [f"| {' | '.join(heads[place] for place in columns)} |", "|---" * len(columns) + "|"]
    lines_of_table += [f"| {' | '.join(line[place] for place in columns)} |" for line in lines]
    return "\n".join(lines_of_table)
