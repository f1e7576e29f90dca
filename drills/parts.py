"""How long the parts of a drill took, and what of it was work of programs that it ran to their end."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Parts:
    """Seconds by part, in their order."""

    def __init__(self) -> None:
        self._took: dict[str, tuple[float, float]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Note how long what is inside takes."""
        begun, used = time.monotonic(), _processor_seconds()
        try:
            yield
        finally:
            self._took[name] = time.monotonic() - begun, _processor_seconds() - used

    def lines(self) -> Iterator[str]:
        """Say what each took; servers, and what runs beside them, are not among the processor's seconds."""
        for name, (seconds, processor) in self._took.items():
            yield f"{name.ljust(31)}{seconds:6.1f} s, {processor:5.1f} s of processors in programs that ended"


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
