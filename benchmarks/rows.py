"""What a benchmark says: rows, what was wanted of them, and how they are written down."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

# Programs whose memory and processor time are watched.
WEB, WORKER, DATABASE, CLIENT = "web", "worker", "database", "client"


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted: of the figure itself, of its ratio to the floor, or both."""

    # At least so many a second.
    rate: float | None = None
    # At most so many milliseconds, or whatever the unit is.
    most: float | None = None
    ratio: float | None = None
    ratio_most: float | None = None
    # At the largest size, at least this share of the rate at the smallest (of a time: its inverse).
    kept: float | None = None
    # At most so many megabytes of the worker.
    worker_mb: float | None = None

    def text(self, unit: str) -> str:
        """Spell it for a table."""
        wanted = [
            ("{} " + unit, self.rate),
            ("under {} " + unit, self.most),
            ("ratio {}", self.ratio),
            ("ratio at most {}", self.ratio_most),
            (
                "within {} % of the smallest size's",
                None if self.kept is None else round(100 - 100 * self.kept),
            ),
            ("worker under {} MB", self.worker_mb),
        ]
        return "; ".join(form.format(f"{value:,g}") for form, value in wanted if value is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results: our rate (or time), the floor's in the same run, and what both took."""

    what: str
    ours: float
    floor: float | None = None
    floor_is: str = ""
    goal: Goal | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    unit: str = "/s"
    # Of what grows with the data: how much there was.
    size: int | None = None
    # Of this row's own part of the run: the highest PSS of each program, in MB ...
    memory: dict[str, float] = field(default_factory=dict)
    # ... and, of each item, microseconds of processor by program, and bytes of WAL.
    cost: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.ours / self.floor if self.floor else None

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit.endswith("/s")

    @property
    def key(self) -> str:
        """What the row is called from run to run."""
        at = f" at {self.size:,}" if self.size else ""
        floor = f", beside {self.floor_is}" if self.floor_is else ""
        return f"{self.what}{at}{floor}"

    @property
    def missed(self) -> bool:
        """Whether something that one row can say was wanted and is not so."""
        goal, ratio = self.goal or Goal(), self.ratio
        return (
            (goal.rate is not None and self.ours < goal.rate)
            or (goal.most is not None and self.ours > goal.most)
            or (goal.ratio is not None and ratio is not None and ratio < goal.ratio)
            or (goal.ratio_most is not None and ratio is not None and ratio > goal.ratio_most)
            or (goal.worker_mb is not None and self.memory.get(WORKER, 0) > goal.worker_mb)
        )

    def text(self) -> str:
        """Say it on one line of a terminal."""
        parts = [f"{self.key}: {number(self.ours)} {self.unit}"]
        if self.floor and self.ratio:
            parts.append(f"floor {number(self.floor)} {self.unit}, ratio {self.ratio:.2f}")
        if self.goal:
            parts.append(f"goal {self.goal.text(self.unit)}{' MISSED' if self.missed else ''}")
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
        known = {each.name for each in fields(cls)}
        given = {name: value for name, value in stored.items() if name in known}
        goal = given.pop("goal", None)
        return cls(**given, goal=Goal(**goal) if goal else None)


def number(value: float) -> str:
    """Spell a rate or a time with as many digits as mean anything."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def memory_text(memory: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {peak:,.0f} MB" for name, peak in memory.items())


def table(rows: Iterable[Row]) -> str:
    """Return what was measured at one size as a table for the docs."""
    body = [
        (
            row.what,
            f"{number(row.ours)} {row.unit}",
            f"{number(row.floor)} {row.unit}" if row.floor else "",
            row.floor_is,
            f"{row.ratio:.2f}" if row.ratio else "",
            row.goal.text(row.unit) if row.goal else "",
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
        "goal",
        "met",
        "web MB",
        "worker MB",
        "database MB",
    )
    return markdown(heads, body)


def growth_table(rows: Iterable[Row]) -> str:
    """Return what was measured at several sizes as a table: a column a size, and how much it grew."""
    sized = [row for row in rows if row.size]
    body = []
    sizes = sorted({row.size for row in sized if row.size})
    for what in dict.fromkeys(row.what for row in sized):
        found = {row.size: row for row in sized if row.what == what}
        last = found[max(size for size in found if size)]
        kept = grown(list(found.values()))
        goal = last.goal.text(last.unit) if last.goal else ""
        body.append(
            (
                what,
                *(f"{number(found[size].ours)} {last.unit}" if size in found else "" for size in sizes),
                f"{kept:.2f}" if kept else "",
                last.floor_is,
                f"{last.ratio:.2f}" if last.ratio else "",
                goal,
                ("no" if last.missed or has_fallen(list(found.values())) else "yes") if goal else "",
            )
        )
    heads = ("what", *(f"{size:,}" for size in sizes), "last / first", "floor is", "ratio", "goal", "met")
    return markdown(heads, body)


def cost_table(rows: Iterable[Row]) -> str:
    """Return what an item takes: processor time by program, bytes of WAL, and how long calls wait."""
    body = [
        (
            row.what if row.size is None else f"{row.what}, at {row.size:,}",
            *(number(row.cost[name]) if row.cost.get(name) else "" for name in _COSTS),
            *(str(row.notes.get(share, "")) for share in ("p50", "p99")),
        )
        for row in rows
        if row.cost
    ]
    return markdown(("each", *_COSTS, "p50", "p99"), body)


_COSTS = (f"{WEB} us", f"{DATABASE} us", f"{WORKER} us", "WAL bytes")


def missed_list(rows: Sequence[Row]) -> str:
    """Return the goals that were missed, a line each."""
    found = missed(rows)
    return "\n".join(f"- {name}" for name in found) if found else "All were met."


def grown(rows: Sequence[Row]) -> float | None:
    """Return the figure at the largest size as a share of that at the smallest."""
    by_size = sorted((row for row in rows if row.size), key=lambda row: row.size or 0)
    if len(by_size) < 2 or not by_size[0].ours:
        return None
    return by_size[-1].ours / by_size[0].ours


def has_fallen(rows: Sequence[Row]) -> bool:
    """Tell whether the rows of one thing at several sizes fell by more than their goal allows."""
    kept, goal = grown(rows), rows[0].goal
    if not kept or goal is None or goal.kept is None:
        return False
    return (kept if rows[0].is_rate else 1 / kept) < goal.kept


def missed(rows: Sequence[Row]) -> list[str]:
    """Return the names of what missed its goal."""
    names = [row.key for row in rows if row.missed]
    for what in dict.fromkeys(row.what for row in rows if row.size):
        if has_fallen([row for row in rows if row.what == what]):
            names.append(f"{what}, growing")
    return names


def markdown(heads: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a table, or nothing at all without rows. Columns that are empty throughout are left out."""
    lines = list(body)
    kept = [place for place in range(len(heads)) if any(line[place] for line in lines)]
    if not kept:
        return ""
    written = [f"| {' | '.join(heads[place] for place in kept)} |", "|---" * len(kept) + "|"]
    written += [f"| {' | '.join(line[place] for place in kept)} |" for line in lines]
    return "\n".join(written)
