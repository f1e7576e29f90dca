"""A PgBouncer before each server of a drill, where PgBouncer is installed."""

import shutil
import subprocess

from alliance.embedded.folders import account, give_to_account
from alliance.embedded.waiting import wait_until
from alliance.supervision import end_with_parent
from drills.servers import DATABASE, ROLE, ProgramFailed, Server, free_port

# As docs/failover.md has it; the rest as docker-compose.yml.
_SETTINGS = """\
[databases]
{database} = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 30
max_client_conn = 500
server_login_retry = 1
server_connect_timeout = 3
query_wait_timeout = 5
"""


class Pooler:
    """One PgBouncer, which pools by transaction."""

    def __init__(self, server: Server) -> None:
        self.port = free_port()
        self._folder = server.site.make_folder(f"pooler-{server.name}")
        users, self._settings = self._folder / "users", self._folder / "pgbouncer.ini"
        users.write_text(f'"{ROLE}" "{server.site.password}"\n')
        text = _SETTINGS.format(database=DATABASE, server_port=server.port, port=self.port, users=users)
        self._settings.write_text(text)
        for file in (users, self._settings):
            give_to_account(file)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; raises ProgramFailed when PgBouncer is not installed or does not start."""
        # Debian has it where only root's path leads.
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if program is None:
            raise ProgramFailed("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
        user = account()
        log = self._folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [program, str(self._settings)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                preexec_fn=end_with_parent,
                **(user.spawn_options() if user else {}),
            )
        if not wait_until(lambda: "process up" in log.read_text(), what=lambda: "PgBouncer", seconds=20):
            raise ProgramFailed(f"PgBouncer did not start: {log.read_text()[-1000:]}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
