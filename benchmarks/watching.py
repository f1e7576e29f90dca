"""What programs take while they work: memory and processor time of whole process trees, and WAL.

Memory is PSS, from /proc: a page that several processes share is counted once, a share in each. The highest
sum seen at any one moment is kept. Processes of other machines, and of systems without /proc, say nothing.

Adding up a database's pages takes half a second in which its backends cannot map new ones: what takes long is
looked at rarely while others are being timed, and once more when they are done.
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
# Seconds between two looks, and the share of a core that looking may take.
_EVERY, _SHARE = 0.5, 0.02


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
        # Seconds of our own that the last look at each took.
        self._cost: dict[str, float] = {}

    @contextmanager
    def taken(self) -> Iterator[Taken]:
        """Watch while the block runs; what it took is known after it. Floors are watched, too: it costs."""
        taken, stop = Taken(), threading.Event()
        for name in self.roots.keys() - self._cost.keys():
            self._look_at(name, taken)
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
            for name in self.roots:
                self._look_at(name, taken)

    def _sample(self, taken: Taken, stop: threading.Event) -> None:
        looked = dict.fromkeys(self.roots, time.monotonic())
        while not stop.wait(_EVERY):
            for name, at in looked.items():
                if time.monotonic() - at > self._cost[name] / _SHARE:
                    self._look_at(name, taken)
                    looked[name] = time.monotonic()

    def _look_at(self, name: str, taken: Taken) -> None:
        begun = time.thread_time()
        found = sum(map(memory_of, self._trees().get(name, []))) / 2**20
        self._cost[name] = time.thread_time() - begun
        if found:
            taken.memory[name] = max(found, taken.memory.get(name, 0.0))

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
