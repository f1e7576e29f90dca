"""A benchmark that is stopped leaves no server and no database; the next one drops those of a killed one."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psycopg2
import pytest

from benchmarks import database

ROOT = Path(__file__).resolve().parents[2]
# As `python -m benchmarks` has it, but with nothing to migrate and nothing to measure.
RUN = """
import multiprocessing, time
from django.core import management
management.call_command = lambda *given, **named: None
from benchmarks import database, stopping
with stopping.cleanly(), database.own_database(NAME) as parameters:
    from benchmarks import servers
    with servers.web_server() as (port, pid):
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)).start()
        print(f"ready {pid}", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def name() -> str:
    return f"bench_stopped_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def run(name: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", f"NAME = {name!r}\n{RUN}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A terminal sends Ctrl-C to a whole group.
        start_new_session=True,
        env={**os.environ, "BENCH_DATABASE": name},
    )
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("ready "), process.communicate()
    return process


def databases() -> set[str]:
    connection = psycopg2.connect(**database.parameters_of("postgres"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        names = {name for (name,) in cursor.fetchall()}
    connection.close()
    return names


def processes_of(name: str) -> list[str]:
    """Return the programs that were started for a database: they have its name in their environment."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(name) in (process / "environ").read_bytes():
                commands.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return commands


def assert_ended(name: str) -> None:
    deadline = time.monotonic() + 20
    while (remaining := processes_of(name)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not remaining


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing(
    db: None, name: str, run: "subprocess.Popen[str]", signum: signal.Signals
) -> None:
    assert name in databases()
    assert any("gunicorn" in program for program in processes_of(name))
    os.killpg(run.pid, signum)
    # Whoever is impatient presses it twice.
    time.sleep(0.1)
    os.killpg(run.pid, signum)
    _output, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + signum
    assert "Traceback" not in errors
    assert_ended(name)
    assert name not in databases()


def test_what_a_killed_run_left_goes_with_the_next_one(
    db: None, name: str, run: "subprocess.Popen[str]"
) -> None:
    # Not while it runs.
    assert name not in database.drop_stale()
    run.kill()
    run.communicate(timeout=60)
    assert_ended(name)
    assert name in databases()
    deadline = time.monotonic() + 20
    # Until the server has noticed that its client is gone.
    while name not in database.drop_stale():
        assert time.monotonic() < deadline
    assert name not in databases()
