"""The embedded servers, each test in a state folder of its own and through real processes."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from alliance import embedded

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0
Start = Callable[..., subprocess.Popen[str]]

HOLD = """
    import signal
    from alliance import embedded
    # A shell that starts the tests in the background has its programs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with embedded.running():
            print("up", flush=True)
            input()
    except embedded.EmbeddedServerError as error:
        raise SystemExit(str(error))
"""


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment of a process that uses the embedded servers of a folder."""
    overridden = {"DATABASE_URL", "REDIS_URL", "OWNER_DATABASE_URL", "SECRET_KEY"}
    inherited = {name: value for name, value in os.environ.items() if name not in overridden}
    return inherited | {"ALLIANCE_HOME": str(folder), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder that an unprivileged server can reach, and nothing of it afterwards."""
    base = Path(tempfile.mkdtemp(prefix="alliance-test-", dir="/tmp"))
    base.chmod(0o711)
    yield base / "state"
    run(base / "state", "from alliance import embedded; embedded.drop_everything()")
    shutil.rmtree(base)


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start a process that holds the servers until it gets a line on its standard input."""
    begun: list[subprocess.Popen[str]] = []

    def begin(code: str = HOLD, **extra: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=environment_of(folder) | extra,
        )
        begun.append(process)
        assert process.stdout
        if process.stdout.readline() != "up\n":
            raise AssertionError(process.communicate(timeout=30))
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            process.communicate("\n", timeout=60)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def run(folder: Path, code: str = HOLD, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run some code to its end in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input="\n",
        capture_output=True,
        text=True,
        cwd="/",
        env=environment_of(folder) | extra,
        check=False,
        timeout=120,
    )


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


def postmaster(folder: Path) -> int | None:
    try:
        return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    except FileNotFoundError:
        return None


def valkey_answers(folder: Path) -> bool:
    port = json.loads((folder / "valkey.json").read_text())["port"]
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def the_refusal(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one line a refused start ends with."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr.strip()


def test_servers_run_unprivileged_and_private_and_end_with_their_user(folder: Path, start: Start) -> None:
    user = start()
    pid = postmaster(folder)
    assert Path(f"/proc/{pid}").stat().st_uid == (65534 if AS_ROOT else os.geteuid())
    for name in ("postgres", "run", "valkey", "log", "media", "mail"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "valkey.json").stat().st_mode) == 0o600
    finish(user)
    assert postmaster(folder) is None
    assert not Path(f"/proc/{pid}").exists()
    assert not valkey_answers(folder)


def test_servers_role_is_bound_by_policies_and_the_owner_makes_tables(folder: Path) -> None:
    result = run(
        folder,
        """
        import psycopg2
        from alliance import embedded
        with embedded.running():
            where = embedded.owner_settings()
            connection = psycopg2.connect(
                host=where["HOST"], port=where["PORT"], user=where["USER"], dbname=where["NAME"])
            cursor = connection.cursor()
            cursor.execute("CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist")
            cursor.execute(
                "SELECT pg_get_userbyid(datdba), datcollate, current_setting('fsync'),"
                " current_setting('synchronous_commit'), show_trgm('杭州') <> '{}'"
                " FROM pg_database WHERE datname = current_database()")
            print(*cursor.fetchone())
            cursor.execute(
                "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole,"
                " pg_has_role(rolname, 'alliance_owner', 'MEMBER')"
                " FROM pg_roles WHERE rolname LIKE 'alliance%' ORDER BY rolname")
            for row in cursor.fetchall():
                print(*row)
            connection.close()
        """,
    )
    assert result.stdout.splitlines() == [
        "alliance_owner C.UTF-8 on on True",
        "alliance False False False False False",
        "alliance_owner False True True False True",
    ]


def test_log_of_the_database_names_no_recipient(folder: Path) -> None:
    result = run(
        folder,
        """
        import psycopg2
        from alliance import embedded
        statements = [
            "INSERT INTO t VALUES ('13800001111')",
            "INSERT INTO t VALUES ('Zhang Wei, 13800001111')",
            "INSERT INTO t (phone, note) VALUES ('13800001111', NULL)",
            "SELECT 1 FROM nowhere WHERE phone = '13800001111'",
            "DO $$ BEGIN INSERT INTO t VALUES ('13800001111'); END $$",
        ]
        with embedded.running():
            where = embedded.owner_settings()
            connection = psycopg2.connect(
                host=where["HOST"], port=where["PORT"], user=where["USER"], dbname=where["NAME"])
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(
                "CREATE TABLE t (phone text PRIMARY KEY CHECK (length(phone) = 11),"
                " note text NOT NULL DEFAULT '')")
            cursor.execute(statements[0])
            for statement in statements:
                try:
                    cursor.execute(statement)
                except psycopg2.Error as error:
                    print(error.pgcode)
            connection.close()
            print((embedded.server_root() / "log" / "postgres.log").read_text())
        """,
    )
    assert result.stdout.split()[:5] == ["23505", "23514", "23502", "42P01", "23505"]
    assert result.stdout.count("duplicate key value") == 2
    assert "13800001111" not in result.stdout


def test_data_whose_tables_belong_to_the_servers_role_gets_one_sentence(folder: Path) -> None:
    change = """
        import psycopg2
        from alliance import embedded
        with embedded.running():
            where = embedded.owner_settings()
            connection = psycopg2.connect(
                host=where["HOST"], port=where["PORT"], user="postgres", dbname=where["NAME"])
            connection.cursor().execute("ALTER DATABASE alliance OWNER TO alliance")
            connection.commit()
            connection.close()
    """
    assert run(folder, change).returncode == 0
    result = run(folder, HOLD)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "make reset" in result.stderr


def test_one_redis_url_serves_the_client_the_broker_and_the_cache(folder: Path) -> None:
    result = run(
        folder,
        """
        import redis
        from kombu import Connection
        from django.core.cache.backends.redis import RedisCache
        from alliance import embedded
        with embedded.running():
            url = embedded.redis_url()
            with redis.Redis.from_url(url) as client:
                print(client.ping())
            with Connection(url) as broker:
                queue = broker.SimpleQueue("test")
                queue.put("parcel")
                print(queue.get(timeout=5).payload)
                queue.close()
            cache = RedisCache(url, {})
            cache.set("key", "value")
            print(cache.get("key"))
            try:
                redis.Redis.from_url(url.replace("redis://:", "redis://:x")).ping()
            except redis.AuthenticationError:
                print("refused")
        """,
    )
    assert result.stdout.split() == ["True", "parcel", "value", "refused"], result.stderr


def test_next_user_writes_nothing_into_the_database(folder: Path, start: Start) -> None:
    """As on a full disk; the first one cannot do without, and says so in one sentence."""
    read_only = {"PGOPTIONS": "-c default_transaction_read_only=on"}
    assert "read-only transaction" in the_refusal(run(folder, **read_only))
    start()
    assert run(folder, **read_only).returncode == 0


def test_last_user_out_stops_the_servers(folder: Path, start: Start) -> None:
    first, second = start(), start()
    pid = postmaster(folder)
    finish(first)
    assert postmaster(folder) == pid
    assert valkey_answers(folder)
    finish(second)
    assert postmaster(folder) is None


def test_killed_user_leaves_servers_that_the_next_one_takes_over_and_stops(
    folder: Path, start: Start
) -> None:
    killed = start()
    pid = postmaster(folder)
    killed.kill()
    killed.wait()
    following = start()
    assert postmaster(folder) == pid
    finish(following)
    assert postmaster(folder) is None
    assert not valkey_answers(folder)


def test_killed_servers_are_started_again(folder: Path, start: Start) -> None:
    first = start()
    pid = postmaster(folder)
    assert pid
    os.kill(pid, signal.SIGKILL)
    second = start()
    assert postmaster(folder) not in (None, pid)
    finish(second)
    finish(first)
    assert postmaster(folder) is None


def test_process_ids_of_a_crash_that_now_belong_to_others_do_no_harm(folder: Path, start: Start) -> None:
    finish(start())
    files = {"postgres/postmaster.pid": folder / "postgres", "run/.s.PGSQL.5432.lock": folder / "postgres"}
    for name, data in files.items():
        (folder / name).write_text(f"{os.getpid()}\n{data}\n1700000000\n5432\n{folder / 'run'}\n\n")
    finish(start())


def test_forked_child_does_not_end_the_use_of_its_parent(folder: Path) -> None:
    result = run(
        folder,
        """
        import os
        from alliance import embedded
        embedded.ensure_running()
        if os.fork() == 0:
            raise SystemExit
        os.wait()
        from alliance.embedded import postgres
        print(postgres._answers())
        """,
    )
    assert result.stdout == "True\n"


@pytest.mark.parametrize("missing", ["PG_VERSION", "global/pg_control"])
def test_half_a_data_folder_gets_one_sentence(folder: Path, missing: str) -> None:
    data = folder / "postgres"
    for name in {"PG_VERSION", "base/1", "pg_wal/x", "global/pg_control", "postgresql.conf", "pg_hba.conf"}:
        if name != missing:
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_text("18\n")
    refusal = the_refusal(run(folder))
    assert f"{missing} is missing" in refusal
    assert "make reset" in refusal


def test_data_folder_of_another_version_gets_one_sentence(folder: Path, start: Start) -> None:
    finish(start())
    (folder / "postgres" / "PG_VERSION").write_text("15\n")
    assert "was made by PostgreSQL 15 and this is 18" in the_refusal(run(folder))


def test_interrupted_initialisation_is_repeated(folder: Path, start: Start) -> None:
    leftover = folder / "postgres.new-1"
    leftover.mkdir(parents=True)
    folder.chmod(0o711)
    (leftover / "PG_VERSION").write_text("18\n")
    finish(start())
    assert not leftover.exists()


def test_server_that_does_not_start_says_why_and_where_to_look(folder: Path, start: Start) -> None:
    finish(start())
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_preload_libraries_of_mars = 'x'\n")
    refusal = the_refusal(run(folder))
    assert "postgres did not start" in refusal
    assert "shared_preload_libraries_of_mars" in refusal
    assert str(folder / "log" / "postgres.log") in refusal
    assert not valkey_answers(folder)


@pytest.mark.parametrize("place", ["/sys/alliance", "/dev/null/alliance"])
def test_unusable_state_folder_gets_one_sentence(place: str) -> None:
    refusal = the_refusal(run(Path(place)))
    assert refusal.startswith("Making the state folder failed:")
    assert "ALLIANCE_HOME" in refusal


def test_port_used_by_another_program_is_replaced(folder: Path) -> None:
    ask = "from alliance import embedded; print(embedded.redis_url())"
    before = run(folder, ask).stdout
    port = json.loads((folder / "valkey.json").read_text())["port"]
    with closing(socket.create_server(("127.0.0.1", port))):
        after = run(folder, ask).stdout
        assert f":{port}/" not in after
        assert run(folder).returncode == 0
    assert before != after


def test_port_used_at_the_last_moment_gets_one_sentence(folder: Path, start: Start) -> None:
    run(folder, "from alliance import embedded; embedded.redis_url()")
    port = json.loads((folder / "valkey.json").read_text())["port"]
    with closing(socket.create_server(("127.0.0.1", port))):
        assert f"Port {port}, which Valkey was to use, has just been taken" in the_refusal(run(folder))
    assert postmaster(folder) is None


def test_long_path_gets_a_short_private_socket_folder(folder: Path, start: Start) -> None:
    deep = folder.parent / ("d" * 60) / ("e" * 60)
    result = run(deep, HOLD.replace('"up"', "embedded.database_settings()['HOST']"))
    assert result.returncode == 0, result.stderr
    sockets = Path(result.stdout.strip())
    assert len(str(sockets)) < 60
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    run(deep, "from alliance import embedded; embedded.drop_everything()")
    assert not sockets.exists()


def test_socket_folder_of_another_user_is_refused(folder: Path) -> None:
    deep = folder.parent / ("d" * 60) / ("e" * 60)
    code = "from alliance import embedded; print(embedded.database_settings()['HOST'])"
    sockets = Path(run(deep, code).stdout.strip())
    sockets.mkdir(mode=0o755)
    try:
        assert f"{sockets} must be a folder of user" in the_refusal(run(deep))
    finally:
        sockets.rmdir()


@pytest.mark.skipif(not AS_ROOT, reason="only root runs servers as somebody else")
def test_root_in_a_private_folder_keeps_the_data_where_servers_can_reach(folder: Path) -> None:
    folder.parent.chmod(0o700)
    code = "from alliance import embedded; print(embedded.server_root())"
    elsewhere = Path(run(folder, code).stdout.strip())
    assert elsewhere.parent == Path("/var/lib")
    assert run(folder).returncode == 0
    assert (elsewhere / "postgres" / "PG_VERSION").is_file()
    assert not (folder / "postgres").exists()
    run(folder, "from alliance import embedded; embedded.drop_everything()")
    assert not elsewhere.exists()


def test_servers_named_by_the_environment_are_not_started(folder: Path, start: Start) -> None:
    user = start(DATABASE_URL="postgres://alliance@elsewhere/alliance")
    assert not (folder / "postgres").exists()
    assert valkey_answers(folder)
    finish(user)
    assert not valkey_answers(folder)


def test_reset_refuses_while_in_use_and_leaves_the_files_of_others(folder: Path, start: Start) -> None:
    drop = "from alliance import embedded; embedded.drop_everything()"
    user = start()
    (folder / "notes.txt").write_text("not ours")
    assert "in use by another process" in run(folder, drop).stderr
    assert (folder / "postgres" / "PG_VERSION").exists()
    finish(user)
    assert run(folder, drop).returncode == 0
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_interrupted_user_stops_the_servers(folder: Path, start: Start) -> None:
    user = start()
    user.send_signal(signal.SIGINT)
    user.wait(timeout=60)
    deadline = time.monotonic() + 5
    while postmaster(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert postmaster(folder) is None
    assert not valkey_answers(folder)


def test_secret_key_is_made_once_a_folder(folder: Path) -> None:
    ask = "from alliance import embedded; print(embedded.secret_key())"
    first, second = run(folder, ask).stdout, run(folder, ask).stdout
    assert first == second
    assert len(first) > 50
    assert embedded.home() != folder
