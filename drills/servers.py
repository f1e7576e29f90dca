"""PostgreSQL servers of a drill, made of the programs that the embedded server's wheel brings.

They listen on loopback, and on sockets in a folder of their own. The superuser comes in by the socket only;
the product's two roles and the one of standbys log in with passwords, as they would in production.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import quote

import psycopg2

from alliance.embedded.folders import account, binaries, give_to_account
from alliance.embedded.processes import alive, pid_of_server, plain_environment
from alliance.embedded.waiting import wait_until
from alliance.supervision import end_with_parent

SUPERUSER, REPLICATOR, OWNER, ROLE, DATABASE = (
    "postgres",
    "replicator",
    "alliance_owner",
    "alliance",
    "alliance",
)
# Seconds that a program of PostgreSQL may take: recovery, a base backup, a rewind.
PROGRAM_SECONDS = 120.0
# What a server of production has, as far as a drill is about it; see docker-compose.yml.
SETTINGS = {
    "wal_level": "replica",
    # pg_rewind needs it, where data have no checksums.
    "wal_log_hints": "on",
    "hot_standby": "on",
    "max_wal_senders": "10",
    # A standby that was away for a while finds what it missed.
    "wal_keep_size": "512MB",
    "wal_receiver_timeout": "10s",
    "wal_sender_timeout": "10s",
    "shared_buffers": "128MB",
    "max_connections": "150",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum_naptime": "15s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
_HBA = """\
local all {superuser} trust
host all {owner},{role} 127.0.0.1/32 scram-sha-256
host replication,postgres {replicator} 127.0.0.1/32 scram-sha-256
"""
# The role of standbys may do what pg_rewind does, and nothing else.
_ROLES = f"""
    CREATE ROLE {OWNER} LOGIN NOSUPERUSER BYPASSRLS NOCREATEROLE PASSWORD %(password)s;
    CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD %(password)s;
    CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD %(password)s;
    GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),
        pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO {REPLICATOR};
"""


class Listening(Protocol):
    """A server or a pooler."""

    port: int

    def kill(self) -> None: ...


class ProgramFailed(Exception):
    """A program of PostgreSQL, or a step of the runbook, ended with an error."""


class Site:
    """The folder of a drill, the account its servers run as, and what programs there are told.

    `programs`: the folder of PostgreSQL's programs, if they are not those of the embedded server.
    """

    def __init__(self, folder: Path, programs: Path | None = None) -> None:
        self.folder = folder
        self.programs = programs or binaries().postgres.parent
        self.password = secrets.token_hex(12)
        self.sockets = self.make_folder("run")
        self.passwords = folder / "pgpass"
        self.passwords.write_text(f"*:*:*:*:{self.password}\n")
        self.passwords.chmod(0o600)
        give_to_account(self.passwords)

    def make_folder(self, name: str) -> Path:
        """Make a folder that only the servers' account enters."""
        path = self.folder / name
        path.mkdir(mode=0o700, parents=True)
        give_to_account(path)
        return path

    def environment(self, given: Mapping[str, object] = MappingProxyType({})) -> dict[str, str]:
        """Return the environment of a program: PostgreSQL's programs are on its path."""
        plain = plain_environment()
        plain["PATH"] = f"{self.programs}{os.pathsep}{plain['PATH']}"
        if self.programs != binaries().postgres.parent:
            # Programs that were moved to another folder since they were built find their libraries so.
            plain["LD_LIBRARY_PATH"] = str(self.programs.parent / "lib")
        told = {"PGPASSFILE": self.passwords, "HOME": self.folder, **given}
        return plain | {name: str(value) for name, value in told.items()}

    def run(
        self,
        command: Sequence[str],
        *,
        seconds: float = PROGRAM_SECONDS,
        variables: Mapping[str, object] = MappingProxyType({}),
    ) -> str:
        """Run a program as the servers' account and return what it says; raises ProgramFailed."""
        user = account()
        # A file, not a pipe: a server that pg_ctl leaves behind would hold a pipe open for ever.
        with tempfile.TemporaryFile() as output:
            try:
                done = subprocess.run(
                    list(command),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    cwd=self.folder,
                    env=self.environment(variables),
                    timeout=seconds,
                    check=False,
                    **(user.spawn_options() if user else {}),
                )
            except subprocess.TimeoutExpired as error:
                raise ProgramFailed(f"{command[0]} took over {seconds:.0f} s") from error
            output.seek(0)
            said = output.read().decode(errors="replace")
        if done.returncode:
            raise ProgramFailed(f"{Path(command[0]).name} ended with {done.returncode}: {said[-2000:]}")
        return said

    def url(self, role: str, *servers: Listening, database: str = DATABASE, **options: str) -> str:
        """Return the address of one server or pooler, or of several for whichever may be written to."""
        places = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        if len(servers) > 1:
            options = {"target_session_attrs": "read-write", **options}
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        return f"postgres://{role}:{self.password}@{places}/{database}" + (f"?{asked}" if asked else "")


@contextmanager
def site(name: str, programs: Path | None = None) -> Iterator[Site]:
    """Have a folder for a drill, which is gone afterwards."""
    # Not under a home: as root, the servers run as a user who cannot get there.
    folder = Path(tempfile.mkdtemp(prefix=f"alliance-{name}-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield Site(folder, programs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """One PostgreSQL server; `name` is what standbys are called in synchronous_standby_names."""

    # Who may log in, and how.
    access = _HBA

    def __init__(
        self, site: Site, name: str, settings: Mapping[str, str] | None = None, *, wal_segment_mb: int = 16
    ) -> None:
        self.wal_segment_mb = wal_segment_mb
        self.site, self.name, self.port = site, name, free_port()
        self.data = site.make_folder(name) / "data"
        self.log = self.data.with_name("log")
        # Beside the data folder, as Debian has them: pg_rewind and base backups bring those of other servers.
        self.configuration, self.hba = (
            self.data.with_name(file) for file in ("postgresql.conf", "pg_hba.conf")
        )
        self.settings = SETTINGS | dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.log.touch()
        give_to_account(self.log)
        self.configure()

    def initialise(self) -> None:
        """Make an empty data folder, start on it, and make the roles and the database."""
        self.site.run(
            ["initdb", f"--pgdata={self.data}", "--encoding=UTF8", "--locale-provider=libc"]
            + ["--locale=C.UTF-8", f"--username={SUPERUSER}", "--auth=reject"]
            + [f"--wal-segsize={self.wal_segment_mb}"]
        )
        self.start()
        with closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(_ROLES, {"password": self.site.password})
        for statement in (
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
            f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC",
        ):
            self.execute(statement, database="postgres")

    def variables(self) -> dict[str, str]:
        """Return what a person at this server would have in the environment."""
        return {
            "PGDATA": str(self.data),
            "CONFIGURATION": str(self.configuration),
            "START": f"pg_ctl start --pgdata={self.data} --options=--config-file={self.configuration}"
            f" --log={self.log} --wait --silent --timeout={PROGRAM_SECONDS - 20:.0f}",
            "STOP": f"pg_ctl stop --pgdata={self.data} --mode=fast --silent",
            "PGHOST": str(self.site.sockets),
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
        }

    def configure(self) -> None:
        """Write its settings, which take effect at the next start."""
        own = {
            "data_directory": self.data,
            "hba_file": self.hba,
            "ident_file": "/dev/null",
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.site.sockets,
            "cluster_name": self.name,
        }
        lines = [f"{name} = '{value}'\n" for name, value in {**self.settings, **own}.items()]
        self.configuration.write_text("".join(lines))
        self.hba.write_text(
            self.access.format(superuser=SUPERUSER, owner=OWNER, role=ROLE, replicator=REPLICATOR)
        )
        for file in (self.configuration, self.hba):
            give_to_account(file)

    def start(self) -> None:
        """Start it and wait until it answers: with what is in the data folder, as primary or standby."""
        user = account()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.site.programs / "postgres"), f"--config-file={self.configuration}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self.site.environment(),
                start_new_session=True,
                # Whatever becomes of us, it does not stay behind.
                preexec_fn=end_with_parent,
                **(user.spawn_options() if user else {}),
            )
        if (
            not wait_until(
                lambda: self.answers() or not self.lives(), what=lambda: self.name, seconds=PROGRAM_SECONDS
            )
            or not self.lives()
        ):
            raise ProgramFailed(f"{self.name} did not start: {self.log.read_text()[-2000:]}")

    def lives(self) -> bool:
        return self.pid() is not None

    def pid(self) -> int | None:
        """Return the process id of its postmaster, whoever started it."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        return pid_of_server(self.data / "postmaster.pid", self.data)

    def kill(self) -> None:
        """Have it end at once with all its processes, as when the power of its machine fails."""
        pid = self.pid()
        if pid is None:
            return
        family = self._send(signal.SIGKILL, pid)
        wait_until(lambda: not any(map(self._runs, family)), what=lambda: f"{self.name} to end", seconds=20)

    def freeze(self) -> None:
        """Have it say nothing from now on, its connections open; `kill` ends it."""
        if (pid := self.pid()) is not None:
            self._send(signal.SIGSTOP, pid)

    def thaw(self) -> None:
        """Have it go on after `freeze`."""
        if (pid := self.pid()) is not None:
            self._send(signal.SIGCONT, pid)

    @staticmethod
    def _send(signum: signal.Signals, pid: int) -> list[int]:
        """Send a signal to a server's processes, and return them."""
        family = [pid, *_children_of(pid)]
        for member in family:
            with suppress(ProcessLookupError):
                os.kill(member, signum)
        return family

    def _runs(self, pid: int) -> bool:
        # Without poll() a child of ours would stay a zombie.
        is_child = self._process is not None and self._process.pid == pid
        return self._process.poll() is None if is_child and self._process else alive(pid)

    def answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def connect(self, database: str = DATABASE) -> Any:
        """Open a connection of the superuser."""
        connection = psycopg2.connect(
            host=str(self.site.sockets), port=self.port, user=SUPERUSER, dbname=database, connect_timeout=5
        )
        connection.autocommit = True
        return connection

    def execute(self, statement: str, *, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser; return its rows, if it has any."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *, database: str = DATABASE) -> Any:
        """Run a statement that returns one value, as the superuser."""
        rows = self.execute(statement, database=database)
        return rows[0][0] if rows else None


@contextmanager
def running(*servers: Listening) -> Iterator[None]:
    """Leave none of these servers running afterwards."""
    try:
        yield
    finally:
        for server in servers:
            server.kill()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
