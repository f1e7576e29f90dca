"""Hold process trees to half a core by control groups, of either version; only root can make these."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.watching import parents_of_all, tree

_ROOT: Final = Path("/sys/fs/cgroup")
# Microseconds of processor time in each period. In shorter ones much of it is lost: cores take it in parts.
_TIME, _PERIOD = 50_000, 100_000
_TRIES: Final = 50


@contextmanager
def half_a_core_each(roots: Sequence[int]) -> Iterator[str]:
    """Hold each of these processes, with its descendants, to half a core; yield how, or "" if we cannot."""
    with ExitStack() as stack:
        try:
            ways = {stack.enter_context(_held(root)) for root in roots}
        except OSError:
            ways = {""}
        yield ways.pop()


@contextmanager
def _held(root: int) -> Iterator[str]:
    has_version_1 = (_ROOT / "cpu" / "cpu.cfs_quota_us").parent.joinpath("cgroup.procs").exists()
    above = _ROOT / "cpu" if has_version_1 else _ROOT
    group = above / f"courier-alliance-bench-{os.getpid()}-{root}"
    if not has_version_1:
        (above / "cgroup.subtree_control").write_text("+cpu")
    group.mkdir()
    try:
        if has_version_1:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(_TIME))
            # The most: what holds them is to be the quota, not whoever else is busy here.
            (group / "cpu.shares").write_text("262144")
        else:
            (group / "cpu.max").write_text(f"{_TIME} {_PERIOD}")
            (group / "cpu.weight").write_text("10000")
        _move(root, group)
        yield f"cgroups version {1 if has_version_1 else 2}"
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Move everything out of a group, and remove it; what starts something meanwhile is moved with it."""
    for _try in range(_TRIES):
        for process in (group / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (group.parent / "cgroup.procs").write_text(process)
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(_PERIOD / 1e6)


def _move(root: int, group: Path) -> None:
    """Move a process and its descendants; those that it starts meanwhile are in its group anyway."""
    for process in tree(root, parents_of_all()):
        with suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(process))
