"""Measure the resources of programs: memory and processor time of process trees, and WAL.

Memory is PSS from /proc: a shared page is divided between its processes. The peak of the sum is kept.
Processes on other machines, and on systems without /proc, are not measured.

Summing up a database's pages takes half a second, in which its backends cannot map new ones: slow samples are
taken rarely during measurements, and once more at their end.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
# Seconds between two samples, and the share of a core that sampling may take.
_EVERY, _SHARE = 0.5, 0.02


@dataclass(slots=True)
class Usage:
    """The resources used by a part of a run, by program."""

    memory: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    wal: int = 0

    def add(self, other: "Usage") -> None:
        """Add the usage of another part."""
        for name, peak in other.memory.items():
            self.memory[name] = max(peak, self.memory.get(name, 0.0))
        for name, seconds in other.processor.items():
            self.processor[name] = seconds + self.processor.get(name, 0.0)
        self.wal += other.wal

    def cost(self, items: float) -> dict[str, float]:
        """Return microseconds of each program and bytes of WAL per item."""
        costs = {f"{name} us": 1e6 * seconds / items for name, seconds in self.processor.items()}
        return {**costs, "WAL bytes": self.wal / items} if items else {}


class Watch:
    """Measures named process trees."""

    def __init__(self, roots: Mapping[str, int], wal_bytes: Callable[[], int] = lambda: 0) -> None:
        """`roots` are process ids by name; `wal_bytes` returns the total bytes of WAL written."""
        self.roots = dict(roots)
        self._wal_bytes = wal_bytes
        # Duration of the last sample of each tree in seconds.
        self._cost: dict[str, float] = {}

    @contextmanager
    def usage(self, *, memory: bool = True) -> Iterator[Usage]:
        """Measure while the block runs; the result is complete after it. Floors, too: sampling costs time."""
        usage, stop = Usage(), threading.Event()
        roots = self.roots if memory else {}
        for name in roots.keys() - self._cost.keys():
            self._look_at(name, usage)
        sampler = threading.Thread(target=self._sample, args=(usage, roots, stop), daemon=True)
        before, wal_before = self._processor(), self._wal_bytes()
        sampler.start()
        try:
            yield usage
        finally:
            stop.set()
            sampler.join()
            usage.wal = self._wal_bytes() - wal_before
            for name, seconds in self._processor().items():
                usage.processor[name] = max(0.0, seconds - before.get(name, 0.0))
            for name in roots:
                self._look_at(name, usage)

    def _sample(self, usage: Usage, roots: Iterable[str], stop: threading.Event) -> None:
        sampled_at = dict.fromkeys(roots, time.monotonic())
        while not stop.wait(_EVERY):
            for name, at in sampled_at.items():
                if time.monotonic() - at > self._cost[name] / _SHARE:
                    self._look_at(name, usage)
                    sampled_at[name] = time.monotonic()

    def _look_at(self, name: str, usage: Usage) -> None:
        begun = time.thread_time()
        memory = sum(map(memory_of, self._trees().get(name, []))) / 2**20
        self._cost[name] = time.thread_time() - begun
        if memory:
            usage.memory[name] = max(memory, usage.memory.get(name, 0.0))

    def _processor(self) -> dict[str, float]:
        return {name: sum(map(processor_of, members)) for name, members in self._trees().items()}

    def _trees(self) -> dict[str, list[int]]:
        parents = parents_of_all()
        return {name: tree(root, parents) for name, root in self.roots.items() if root in parents}


def parents_of_all() -> dict[int, int]:
    """Return the parent of every process."""
    parents = {}
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int(_statistics(int(entry.name))[1])
    return parents


def tree(root: int, parents: Mapping[int, int]) -> list[int]:
    """Return a process and all its descendants."""
    members = [root]
    for member in members:
        members += [process for process, parent in parents.items() if parent == member]
    return members


def memory_of(process: int) -> int:
    """Return the PSS of a process in bytes; 0 if it has ended."""
    with suppress(OSError, ValueError):
        for line in (_PROC / str(process) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def processor_of(process: int) -> float:
    """Return the processor seconds of a process, including its ended children."""
    with suppress(OSError, IndexError, ValueError):
        return sum(map(int, _statistics(process)[11:15])) / _TICKS
    return 0.0


def parent_of(process: int) -> int | None:
    """Return the parent of a process; None if it is not on this machine."""
    with suppress(OSError, IndexError, ValueError):
        return int(_statistics(process)[1])
    return None


def _statistics(process: int) -> list[str]:
    # The fields after the name, which may contain blanks and parentheses: state, parent, ...
    return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
