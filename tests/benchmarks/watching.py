"""What programs take while they work: memory and processor time of whole process trees, and WAL.

Memory is PSS, from /proc: a page that several processes share is counted once, a share in each. The highest
sum seen at any one moment is kept. Processes of other machines, and of systems without /proc, say nothing.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
# Adding up the pages of a database's backends is work, too: of a twentieth of a core at most.
_EVERY, _SHARE = 0.5, 0.05


@dataclass(slots=True)
class Taken:
    """What a part of a run took, by program."""

    memory: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    wal: int = 0

    def add(self, other: "Taken") -> None:
        """Count another part of the same in."""
        for name, peak in other.memory.items():
            self.memory[name] = max(peak, self.memory.get(name, 0.0))
        for name, seconds in other.processor.items():
            self.processor[name] = seconds + self.processor.get(name, 0.0)
        self.wal += other.wal

    def cost(self, items: float) -> dict[str, float]:
        """Return microseconds of each program and bytes of WAL, an item."""
        found = {f"{name} us": 1e6 * seconds / items for name, seconds in self.processor.items()}
        return {**found, "WAL bytes": self.wal / items} if items else {}


class Watch:
    """Watches process trees, named by what they are."""

    def __init__(self, roots: Mapping[str, int], written: Callable[[], int] = lambda: 0) -> None:
        """`roots` are process ids; `written` returns the bytes of WAL written since ever."""
        self.roots = dict(roots)
        self._written = written

    @contextmanager
    def taken(self) -> Iterator[Taken]:
        """Watch while the block runs; what it took is known after it. Floors are watched, too: it costs."""
        taken, stop = Taken(), threading.Event()
        sampler = threading.Thread(target=self._sample, args=(taken, stop), daemon=True)
        before, written = self._processor(), self._written()
        sampler.start()
        try:
            yield taken
        finally:
            stop.set()
            sampler.join()
            taken.wal = self._written() - written
            for name, seconds in self._processor().items():
                taken.processor[name] = max(0.0, seconds - before.get(name, 0.0))

    def _sample(self, taken: Taken, stop: threading.Event) -> None:
        while True:
            begun = time.thread_time()
            for name, members in self._trees().items():
                found = sum(map(memory_of, members)) / 2**20
                taken.memory[name] = max(found, taken.memory.get(name, 0.0))
            if stop.wait(max(_EVERY, (time.thread_time() - begun) / _SHARE)):
                return

    def _processor(self) -> dict[str, float]:
        return {name: sum(map(processor_of, members)) for name, members in self._trees().items()}

    def _trees(self) -> dict[str, list[int]]:
        parents = parents_of_all()
        return {name: tree(root, parents) for name, root in self.roots.items() if root in parents}


def parents_of_all() -> dict[int, int]:
    """Return every process there is, and its parent."""
    found = {}
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                found[int(entry.name)] = int(_statistics(int(entry.name))[1])
    return found


def tree(root: int, parents: Mapping[int, int]) -> list[int]:
    """Return a process and all that descend from it."""
    members = [root]
    for member in members:
        members += [process for process, parent in parents.items() if parent == member]
    return members


def memory_of(process: int) -> int:
    """Return the bytes of a process, those it shares divided by how many share them; 0 if it is gone."""
    with suppress(OSError, ValueError):
        for line in (_PROC / str(process) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def processor_of(process: int) -> float:
    """Return the seconds a process has used, with those of its children that have ended."""
    with suppress(OSError, IndexError, ValueError):
        return sum(map(int, _statistics(process)[11:15])) / _TICKS
    return 0.0


def parent_of(process: int) -> int | None:
    """Return a process's parent, if it is one of this machine."""
    with suppress(OSError, IndexError, ValueError):
        return int(_statistics(process)[1])
    return None


def _statistics(process: int) -> list[str]:
    # After the name, which may have blanks and parentheses in it: state, parent, ...
    return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
