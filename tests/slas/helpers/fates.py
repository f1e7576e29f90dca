"""Calls that are killed, for tests of what may happen in any order."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st


class Killed(BaseException):
    """The process was killed: nothing may catch this."""


@dataclass(frozen=True)
class Fate:
    """Where a call is killed, if at all: before or after its nth statement; and whether it is retried."""

    nth: int = 0
    after: bool = False
    again: bool = True


# Half of all calls live; a killed one is mostly tried again, as a task or a client would.
FATES = st.one_of(
    st.just(Fate()), st.builds(Fate, nth=st.integers(1, 9), after=st.booleans(), again=st.booleans())
)


def killer(fate: Fate) -> Callable[..., object]:
    """Sits between the service and the database, and cuts the connection as fate says."""
    seen = 0

    def execute(send: Callable[..., object], sql: str, *args: object) -> object:
        nonlocal seen
        seen += 1
        if seen == fate.nth and not fate.after:
            raise Killed
        result = send(sql, *args)
        if seen == fate.nth:
            raise Killed
        return result

    return execute
