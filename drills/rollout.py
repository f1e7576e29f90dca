"""A release rolled out under load: `python -m drills rollout`.

The release before (alliance/database/released.py, or --before) serves while this one migrates; then this one
starts beside it, clients are sent there, and the other stops. Clients book and scan throughout: what they
were told is done is there in the end, and none of their calls failed. First, tests of the release before are
run with its own code on the schema of this one.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import django

from alliance.database.released import REVISION
from drills import servers
from drills.runbook import steps
from drills.servers import OWNER, ROLE, Server

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 3
# Of the release before: they build one of everything there is, which writes each table, and send all that
# programs send, as every kind of actor.
TESTS = ("tests/access/test_access.py", "-k", "test_route_responds and POST and api")
TEST_DATABASE = "test_alliance"
# What `manage.py up` says when all of it works.
READY = "Ctrl-C stops everything and keeps the data."
_PATIENCE = 900.0
_BEGUN = time.monotonic()


class Failed(Exception):
    """A program of one of the releases ended with an error."""


class Release:
    """The code of a release, on the drill's database."""

    def __init__(self, name: str, code: Path, environment: dict[str, str]) -> None:
        self.name, self.code, self.environment = name, code, environment

    def run(self, *arguments: object, database: str = servers.DATABASE) -> str:
        """Run Python with these arguments, and return what it says; raises Failed."""
        return self._run([sys.executable, *map(str, arguments)], database)

    def at_the_release(self, step: str, database: str = servers.DATABASE) -> str:
        """Run a step of the runbook as somebody in the folder of this release; raises Failed."""
        return self._run(["/bin/sh", "-euc", steps()[step]], database)

    def _run(self, command: list[str], database: str) -> str:
        urls = {name: url for name, url in self.environment.items() if name.endswith("DATABASE_URL")}
        told = {name: f"{url.rpartition('/')[0]}/{database}" for name, url in urls.items()}
        told["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.environment.get('PATH', os.defpath)}"
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.code,
            env=self.environment | told,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{' '.join(command)} of {self.name}: {done.stdout[-3000:]}")
        return done.stdout


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m drills rollout", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--before", default=REVISION, help="the release that serves (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="of what clients do (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of load between two steps")
    parser.add_argument("--no-tests", action="store_true", help="leave out the tests of the release before")
    options = parser.parse_args(arguments)
    with servers.site("rollout") as site:
        primary = Server(site, "primary")
        # Settings are read when the first module asks for them, also by what starts processes.
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "alliance.settings",
            "ALLIANCE_HOME": str(site.folder / "state"),
            "DATABASE_URL": site.url(ROLE, primary),
            "OWNER_DATABASE_URL": site.url(OWNER, primary),
        }
        django.setup()
        from tests.chaos import stage  # noqa: PLC0415 -- needs the settings

        with servers.running(primary), stage.own_valkey(site.folder) as redis_url:
            primary.initialise()
            # Tests want to make, and to empty, a database of their own.
            primary.execute(f"ALTER ROLE {OWNER} CREATEDB", database="postgres")
            primary.execute(f"GRANT {ROLE} TO {OWNER}", database="postgres")
            os.environ |= {"REDIS_URL": redis_url, "LOG_LEVEL": "WARNING", "PYTHONWARNINGS": "ignore"}
            try:
                before = Release("the release before", unpack(options.before, site.folder), dict(os.environ))
                now = Release("this release", ROOT, dict(os.environ))
                wrong = _drill(before, now, primary, site.folder, options)
            except Failed as failure:
                wrong = [str(failure)]
            return _report(wrong)


def unpack(revision: str, folder: Path) -> Path:
    """Unpack the code of a release, with the assets of this one. Raises Failed."""
    code = folder / "before"
    code.mkdir()
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision]
    archive = subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE)
    if archive.returncode:
        raise Failed(f"{revision} is not in this clone: fetch its history (git fetch --unshallow).")
    subprocess.run(["tar", "-x", "-C", str(code)], input=archive.stdout, check=True, timeout=_PATIENCE)
    (code / "build").symlink_to(ROOT / "build")
    return code


def _drill(
    before: Release, now: Release, primary: Server, folder: Path, options: argparse.Namespace
) -> list[str]:
    wrong: list[str] = []
    if not options.no_tests:
        wrong += _tests_of_before(before, now, primary)
    _say("the release before makes its database")
    before.at_the_release("migrate")
    return wrong + _roll_out(before, now, folder, options)


def _tests_of_before(before: Release, now: Release, primary: Server) -> Iterator[str]:
    _say("both releases migrate an empty database, one after the other")
    primary.execute(f"CREATE DATABASE {TEST_DATABASE} OWNER {OWNER}", database="postgres")
    before.at_the_release("migrate", TEST_DATABASE)
    now.at_the_release("migrate", TEST_DATABASE)
    _say(f"the release before runs {' '.join(TESTS)} on it")
    try:
        said = before.run("-m", "pytest", *TESTS, "-q", "-x", "--reuse-db", "-p", "no:cacheprovider")
    except Failed as failure:
        yield str(failure)
    else:
        _say(said.strip().splitlines()[-1])


def _roll_out(before: Release, now: Release, folder: Path, options: argparse.Namespace) -> list[str]:
    from tests.chaos import programs  # noqa: PLC0415 -- needs the settings

    ports = [programs.free_port(), programs.free_port()]
    before.run("-m", "tests.chaos.product", "populate", folder, ports[0])
    old, new = (
        programs.Program(
            release.name.replace(" ", "-"),
            [sys.executable, "manage.py", "up", "--no-demo", "--port", str(port)],
            release.environment | {"ALLIANCE_HOME": str(folder / f"state-{port}")},
            folder,
            ready_when=READY,
            code=release.code,
        )
        for release, port in zip((before, now), ports, strict=True)
    )
    clients = [
        programs.script("shoppers", now.environment, folder, number, options.seed, folder)
        for number in range(CLIENTS)
    ]
    with programs.running([old], patience=_PATIENCE), programs.running(clients), ExitStack() as stack:
        _load("the release before serves", options)
        begun = time.monotonic()
        said = now.at_the_release("migrate")
        _say(
            f"migrated in {time.monotonic() - begun:.1f} s: {said.count('... OK')} migrations,"
            f" {said.count('Waiting for a lock')} waits for a lock"
        )
        _load("the release before serves with the new schema", options)
        stack.enter_context(programs.running([new], patience=_PATIENCE))
        _load("both run; the release before is called", options)
        _move_clients(folder, ports[1])
        _load("both run; this one is called", options)
        old.stop()
        _load("this release serves alone", options)
        for client in clients:
            client.finish()
    found = json.loads(now.run("-m", "tests.chaos.product", "verdict", folder, ports[1]))
    _say(", ".join(f"{count} {what}" for what, count in found["happened"].items()))
    _say(f"calls that had to be sent again, by status (0: no answer): {dict(_sent_again(folder))}")
    return found["wrong"] + [f"no {what}" for what, count in found["happened"].items() if not count]


def _sent_again(folder: Path) -> Counter[int]:
    notes = (json.loads(line) for path in folder.glob("shopper-*.jsonl") for line in path.open())
    return Counter(note["again"] for note in notes if "again" in note)


def _move_clients(folder: Path, port: int) -> None:
    """Have clients call another web server, as a proxy in front would."""
    world, moved = folder / "world.json", folder / "world.new"
    moved.write_text(json.dumps({**json.loads(world.read_text()), "port": port}))
    moved.replace(world)


def _load(what: str, options: argparse.Namespace) -> None:
    _say(what)
    time.sleep(options.seconds)


def _report(wrong: Sequence[str]) -> int:
    for line in wrong:
        _say(f"WRONG: {line}")
    _say(f"{len(wrong)} things went wrong." if wrong else "No call failed, and nothing was lost.")
    return int(bool(wrong))


def _say(line: str) -> None:
    sys.stdout.write(f"{time.monotonic() - _BEGUN:4.0f} s  {line}\n")
    sys.stdout.flush()
