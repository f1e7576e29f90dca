"""The commands of docs/operations.md, which a drill runs as they stand there.

A block that drills run has a name behind its language:

    ```sh promote
    pg_ctl promote --pgdata="$PGDATA" --wait
    ```

Its lines are run by `sh`, which stops at the first that fails. What differs from place to place is a
variable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drills.servers import Site

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
_BLOCK = re.compile(r"^```sh (?P<name>[a-z][a-z-]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: Path = PAGE) -> dict[str, str]:
    """Return the text of each named block; raises ValueError when two have one name."""
    found: dict[str, str] = {}
    for block in _BLOCK.finditer(page.read_text()):
        name = block["name"]
        if name in found:
            raise ValueError(f"{page.name} has two steps named {name}.")
        found[name] = block["text"]
    return found


@dataclass
class Runbook:
    """Runs steps of the page as somebody at one of a drill's servers, and remembers which."""

    site: Site
    done: list[str] = field(default_factory=list)

    def run(self, step: str, variables: Mapping[str, object]) -> str:
        """Run a step and return what it says; raises ProgramFailed when a line of it fails."""
        text = steps()[step]
        self.done.append(step)
        return self.site.run(["/bin/sh", "-euc", text], variables=variables)
