"""`manage.py up` as a newcomer meets it: started, used, stopped, and refused with one sentence."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from alliance.health import note_heartbeat
from alliance.management import collecting, conditions, programs
from alliance.management.commands import up
from tests.helpers.owner import execute_as_owner

ROOT = Path(__file__).resolve().parents[2]
BAR = 'id="demo-progress"'
TABLE_ENDS = "Ctrl-C stops everything and keeps the data."


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A state folder for all starts of this file: the first is slow, the others are not."""
    base = Path(tempfile.mkdtemp(prefix="alliance-up-", dir="/tmp"))
    base.chmod(0o711)
    yield base / "state"
    manage(base / "state", "reset", "--yes")
    shutil.rmtree(base)


def environment_of(folder: Path, **extra: str) -> dict[str, str]:
    overridden = {"DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EMAIL_URL"}
    inherited = {name: value for name, value in os.environ.items() if name not in overridden}
    return inherited | {"ALLIANCE_HOME": str(folder)} | extra


def manage(folder: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment_of(folder, **extra),
        check=False,
        timeout=120,
    )


class Running:
    """`manage.py up` in the background, with everything it has printed."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.port = folder, free_port()
        self.log = folder.with_name(f"up-{self.port}.log")
        self.begun = time.monotonic()
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment_of(folder),
            )
        self.wait_for(TABLE_ENDS)

    def wait_for(self, words: str) -> None:
        """Wait until it has printed a text."""
        # Generous: other tests may have the machine.
        until = time.monotonic() + 300
        while words not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < until, self.text
            time.sleep(0.1)

    @property
    def text(self) -> str:
        # Read while it is written, it may end in the middle of a character.
        return self.log.read_text("utf-8", errors="replace")

    def pid_of(self, program: str) -> int:
        self.wait_for(f"{program} started (pid=")
        return int(self.text.rsplit(f"{program} started (pid=")[-1].split(")")[0])

    def get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def stop(self, signum: signal.Signals) -> int:
        self.process.send_signal(signum)
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def first_start(folder: Path) -> Iterator[Running]:
    yield from started(folder, "--demo-days", "2")


@pytest.fixture(scope="module")
def next_start(folder: Path) -> Iterator[Running]:
    yield from started(folder)


def started(folder: Path, *arguments: str) -> Iterator[Running]:
    running = Running(folder, *arguments)
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGTERM)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def processes_of(folder: Path) -> list[str]:
    """Return the processes that belong to a state folder: by environment, or by command line."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            traces = command + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in traces:
            commands.append(command.replace(b"\0", b" ").decode())
    return commands


def test_first_page_answers_while_the_demo_fills_in(folder: Path, first_start: Running) -> None:
    assert "merchant@alliance.example" in first_start.text
    assert BAR in first_start.get("/accounts/login/")
    first_start.wait_for("The demo alliance is loaded.")
    assert BAR not in first_start.get("/accounts/login/")
    # What goes by the clock came after what was played.
    first_start.wait_for("beat started")
    assert first_start.text.index("demo stopped (rc=0)") < first_start.text.index("beat started")
    assert manage(folder, "audit_rates").returncode == 0


def test_first_start_says_where_to_go_and_ctrl_c_leaves_nothing_behind(
    folder: Path, first_start: Running
) -> None:
    for line in (
        f"Portal     http://127.0.0.1:{first_start.port}/",
        "/admin/",
        "/api/docs/",
        f"{folder}/mail",
    ):
        assert line in first_start.text
    assert first_start.get("/healthz") == "ok\n"
    programs = " ".join(processes_of(folder))
    assert all(name in programs for name in ("gunicorn", "celery", "beat", "postgres -D"))

    assert first_start.stop(signal.SIGINT) == 0
    assert "the data is kept" in first_start.text
    assert "Traceback" not in first_start.text
    assert processes_of(folder) == []
    port = json.loads((folder / "valkey.json").read_text())["port"]
    with socket.socket() as attempt:
        assert attempt.connect_ex(("127.0.0.1", port)) != 0


def test_next_start_skips_finished_steps(folder: Path, next_start: Running) -> None:
    assert "Migrating" not in next_start.text
    assert "Collecting" not in next_start.text
    assert programs.NOT_WHOLE not in next_start.text
    assert "merchant@alliance.example" in next_start.text
    assert BAR not in next_start.get("/")
    deadline = time.monotonic() + 60
    while not (state := json.loads(next_start.get("/readyz")))["ready"]:
        assert time.monotonic() < deadline, state
        time.sleep(0.5)


def test_server_that_dies_is_started_again(folder: Path, next_start: Running) -> None:
    for name, pid_file in (
        ("PostgreSQL", folder / "postgres" / "postmaster.pid"),
        ("Valkey", folder / "valkey" / "valkey.pid"),
    ):
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while f"{name} had died and was started again." not in next_start.text:
            assert time.monotonic() < deadline, next_start.text
            time.sleep(0.1)
    # With a connection of before, which has to be found out to be gone, or with a new one.
    assert all("<html" in next_start.get("/") for _try in range(10))
    assert json.loads(next_start.get("/readyz"))["checks"]["database"] == {"ok": True}


def test_program_that_dies_is_started_again(folder: Path, next_start: Running) -> None:
    pid = next_start.pid_of("worker")
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while next_start.pid_of("worker") == pid:
        assert time.monotonic() < deadline, next_start.text
        time.sleep(0.1)
    assert "worker ended by itself (code -9) and is started again." in next_start.text
    assert next_start.stop(signal.SIGTERM) == 0
    assert processes_of(folder) == []


def test_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        process = manage(tmp_path / "state", "up", "--port", str(port))
    assert process.returncode == 1
    assert process.stderr.splitlines() == [
        f"CommandError: Port {port} of 127.0.0.1 cannot be used: another program listens there; "
        "stop it, or choose another port (make run PORT=8001)."
    ]
    assert not (tmp_path / "state" / "users.lock").exists()


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", "99999"), ("192.0.2.1", "8000"), ("no.such.host.invalid", "80")]
)
def test_address_that_cannot_be_used_gets_one_sentence(tmp_path: Path, host: str, port: str) -> None:
    process = manage(tmp_path, "up", "--host", host, "--port", port)
    assert process.returncode == 1
    assert len(process.stderr.splitlines()) == 1
    assert f"Port {port} of {host} cannot be used" in process.stderr


@pytest.mark.parametrize(
    ("name", "url"),
    [("DATABASE_URL", "postgres://alliance@127.0.0.1:1/x"), ("REDIS_URL", "redis://127.0.0.1:1/0")],
)
def test_server_of_the_environment_that_does_not_answer_gets_one_sentence(
    folder: Path, name: str, url: str
) -> None:
    process = manage(folder, "up", "--port", str(free_port()), **{name: url})
    assert process.returncode == 1
    assert len(process.stderr.splitlines()) == 1
    assert f"look at {name}" in process.stderr
    assert processes_of(folder) == []


def test_demo_is_not_served_to_other_machines(folder: Path) -> None:
    for place in ({"host": "0.0.0.0"}, {"PUBLIC_URL": "https://alliance.company.example"}):
        host = place.pop("host", "127.0.0.1")
        process = manage(folder, "up", "--host", host, "--port", str(free_port()), **place)
        assert process.returncode == 1
        assert len(process.stderr.splitlines()) == 1
        assert "--public-demo" in process.stderr
    assert processes_of(folder) == []


def test_damaged_data_folder_gets_one_sentence(folder: Path) -> None:
    damaged = folder.with_name("damaged")
    (damaged / "postgres" / "base").mkdir(parents=True)
    process = manage(damaged, "migrate")
    assert process.returncode == 1
    assert len(process.stderr.splitlines()) == 1
    assert "make reset" in process.stderr


def test_commands_without_a_database_start_nothing(tmp_path: Path) -> None:
    assert manage(tmp_path, "help", "migrate").returncode == 0
    assert not (tmp_path / "users.lock").exists()


def test_killed_demo_is_reported_as_incomplete(folder: Path) -> None:
    other_folder = folder.with_name("killed")
    running = Running(other_folder)
    try:
        pid = running.pid_of("demo")
        while "day 1 of 60" not in running.get("/"):
            assert running.process.poll() is None, running.text
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        running.wait_for(programs.NOT_WHOLE)
        assert "was not loaded to its end" in running.get("/")
        # The product goes on with what there is.
        running.wait_for("beat started")
        assert running.stop(signal.SIGTERM) == 0
        running = Running(other_folder)
        assert programs.NOT_WHOLE in running.text
        assert "demo started" not in running.text
        assert BAR not in running.get("/")
    finally:
        with suppress(ProcessLookupError):
            running.stop(signal.SIGTERM)
        manage(other_folder, "reset", "--yes")


@pytest.mark.parametrize(("has_demo", "loads_demo"), [(True, False), (False, True)])
def test_summary_names_the_people_of_the_demo(db: None, has_demo: bool, loads_demo: bool) -> None:
    text = programs.summary("http://127.0.0.1:8000", has_demo=has_demo, loads_demo=loads_demo)
    assert "  ops        ops@alliance.example               same-day-next-day" in text.splitlines()
    assert ("fills in behind" in text) is loads_demo


def test_no_log_ins_are_promised_where_no_demo_was_loaded(db: None) -> None:
    assert "alliance.example" not in programs.summary(
        "http://127.0.0.1:8000", has_demo=False, loads_demo=False
    )


@pytest.mark.parametrize("detail", [{"whole": False}, {"whole": True}])
def test_demo_is_loaded_once_and_an_interrupted_one_is_reported(
    db: None, capsys: pytest.CaptureFixture[str], detail: dict[str, bool]
) -> None:
    command = up.Command()
    assert up.demo_so_far() is None
    assert command._demo_is_due(None)
    note_heartbeat("demo", **detail)
    assert not command._demo_is_due(up.demo_so_far())
    assert (programs.NOT_WHOLE in capsys.readouterr().out) is not detail["whole"]


def test_demo_that_failed_is_noted_for_the_pages(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)
    assert programs.demo_is_over(0) == "The demo alliance is loaded."
    assert up.demo_so_far() is None
    assert programs.demo_is_over(-9) == programs.NOT_WHOLE
    demo = up.demo_so_far()
    assert demo
    assert demo.detail == {"whole": False, "stopped": True}


def record_applied(app: str, name: str) -> None:
    execute_as_owner(f"INSERT INTO django_migrations (app, name, applied) VALUES ('{app}', '{name}', now())")


def test_data_of_another_version_asks_for_a_reset(db: None) -> None:
    conditions.require_known_migrations(MigrationLoader(connection))
    # Other packages may drop old migrations of theirs.
    record_applied("auth", "0000_of_long_ago")
    conditions.require_known_migrations(MigrationLoader(connection))
    record_applied("slas", "0099_squashed")
    with pytest.raises(CommandError, match=r"slas\.0099_squashed.*'make reset' drops it and starts over"):
        conditions.require_known_migrations(MigrationLoader(connection))


def test_line_that_cannot_be_written_stops_nothing() -> None:
    with Path("/dev/full").open("w") as output:
        up.Command(stdout=output)._say("Migrating the database ...")
        with suppress(OSError):
            output.close()


def test_ctrl_c_is_heard_where_python_drops_exceptions() -> None:
    with pytest.raises(SystemExit, match="143"), up.stoppable(), suppress(SystemExit):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("host", "visible"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.1", "10.0.0.1"), ("::1", "[::1]")],
)
def test_address_shown_is_one_a_browser_here_can_open(host: str, visible: str) -> None:
    assert programs.visible_host(host) == visible


def test_changed_asset_is_noticed(tmp_path: Path, settings: object) -> None:
    asset = tmp_path / "app.css"
    asset.write_text("a {}")
    settings.STATICFILES_DIRS = [tmp_path]  # type: ignore[attr-defined]
    before = collecting.fingerprint_of_assets()
    assert collecting.fingerprint_of_assets() == before
    asset.write_text("a { color: red }")
    assert collecting.fingerprint_of_assets() != before


def test_folder_of_a_run_is_in_memory_and_those_of_killed_runs_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MEMORY", tmp_path)
    with programs.shared_folder() as killed:
        (killed / "counter_1.db").touch()
        with programs.shared_folder() as folder:
            assert list(tmp_path.iterdir()) == [folder]
    assert not list(tmp_path.iterdir())


def test_the_same_data_is_not_run_twice(tmp_path: Path) -> None:
    with conditions.the_only_one(tmp_path), pytest.raises(CommandError, match="running already"):
        conditions.the_only_one(tmp_path).__enter__()
    # Gone with the one that held it.
    with conditions.the_only_one(tmp_path):
        pass
