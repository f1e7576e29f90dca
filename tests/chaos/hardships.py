"""What happens to servers besides death: they are paused for a while, or their disk fills up."""

import os
import random
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds that a hardship lasts, at least and at most.
LASTS = 3.0, 9.0
# Far longer than readiness may take: this only tells an answer from none.
ANSWERED_WITHIN = 20.0
# Of a disk of its own: enough for all data of a run of minutes.
DISK = "1500m"


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Have a server and its children paused, as those of a machine whose disk or network hangs.

    Raises ProcessLookupError when it is not there, as when it was killed a moment ago.
    """
    paused = [pid]
    os.kill(pid, signal.SIGSTOP)
    if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
        raise ProcessLookupError(pid)
    try:
        # It makes no more children now.
        paused += children_of(pid)
        for child in paused[1:]:
            _send(child, signal.SIGSTOP)
        yield
    finally:
        for process in reversed(paused):
            _send(process, signal.SIGCONT)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Have the disk of a folder full."""
    filler = folder / "filler"
    try:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(2**20)):
                pass
        yield
    finally:
        filler.unlink(missing_ok=True)


def disk_for(folder: Path) -> bool:
    """Give a folder a small disk of its own, which only root can; tell whether it has one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=711", "tmpfs", str(folder)]
    if os.geteuid():
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def remove_disk(folder: Path) -> None:
    # Lazily: a process that is just ending may still be in it.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def last(source: random.Random) -> None:
    """Have the hardship go on for a while."""
    time.sleep(source.uniform(*LASTS))


def readiness(port: int) -> int:
    """Return the status of readiness; 0 when the web server is not there, -1 when it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=ANSWERED_WITHIN) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except TimeoutError:
        return -1
    except OSError:
        return 0


def _send(pid: int, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)
