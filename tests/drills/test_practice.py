"""The shells to practise the runbook in have what its steps need."""

import re
import subprocess
from pathlib import Path

from drills import practice, runbook
from drills.servers import site

# What a person chooses: the moment to go back to, and where a lost folder was moved to.
CHOSEN = {"MOMENT", "LOST"}


def names_in(shell: Path) -> set[str]:
    return set(re.findall(r"^export (\w+)=", shell.read_text(), re.MULTILINE))


def test_shells_have_every_variable_of_the_steps() -> None:
    used = {name for text in runbook.steps().values() for name in re.findall(r"\$\{?([A-Z]+)\b", text)}
    with site("test") as place:
        practice.prepare(place)
        shells = place.folder / "shells"
        assert used - CHOSEN <= names_in(shells / "alpha")
        assert {"DATABASE_URL", "OWNER_DATABASE_URL", "FULL", "ASIDE"} <= names_in(shells / "product")


def test_shell_runs_a_command_with_them_as_who_the_servers_are() -> None:
    with site("test") as place:
        alpha, *_others = practice.prepare(place)
        command = [place.folder / "shells" / "alpha", "sh", "-c", 'echo "$PGDATA"; pg_ctl --version; id -u']
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split(
            "\n"
        )
        assert said[0] == str(alpha.data)
        assert said[1].startswith("pg_ctl (PostgreSQL)")
        assert int(said[2]) == alpha.data.parent.stat().st_uid
