"""The embedded Valkey: a Redis-compatible server on a loopback port with a random password.

It has only queues and caches, so it writes nothing to disk.
"""

import contextlib
import fcntl
import json
import os
import random
import secrets
import signal
import socket

from alliance.embedded import processes
from alliance.embedded.errors import EmbeddedServerError, describe_os_errors
from alliance.embedded.folders import (
    binaries,
    home,
    make_server_folder,
    prepare_home,
    server_root,
    write_once,
)
from alliance.embedded.waiting import describe_process, wait_until

NAME = "Valkey"
HOST = "127.0.0.1"
# Below the ephemeral port range of outgoing connections.
PORTS = range(20_000, 32_000)
ADDRESS = "valkey.json"
# A server that does not answer for so long is not waited for.
PAUSE_SECONDS = 20.0


def redis_url() -> str:
    """Return the URL of the embedded Valkey; starts nothing.

    Loopback TCP instead of a Unix socket, because kombu, redis-py and Django's cache expect different URLs of
    a socket. If another program uses the port now, another port is chosen.
    """
    port, password = _address()
    if _is_port_in_use(port) and _pid() is None and not _answers():
        _drop_address((home() / ADDRESS).read_text())
        port, password = _address()
    return f"redis://:{password}@{HOST}:{port}/0"


def start() -> None:
    """Start the server if it is not running."""
    if _answers():
        return
    if (pid := _pid()) is not None and not wait_until(
        lambda: _answers() or _pid() is None,
        what=lambda: f"Valkey, {describe_process(pid)}, which runs and does not answer",
        seconds=PAUSE_SECONDS,
    ):
        raise EmbeddedServerError(f"Valkey, {describe_process(pid)}, runs and does not answer; end it.")
    if _answers():
        return
    port, password = _address()
    if _is_port_in_use(port):
        raise EmbeddedServerError(
            f"Port {port}, which Valkey was to use, has just been taken by another program; try again."
        )
    make_server_folder(server_root())
    folder = make_server_folder(server_root() / "valkey")
    log = make_server_folder(server_root() / "log") / "valkey.log"
    # Configured on standard input, so that the password is in no process list and in no file of the server.
    configuration = {
        "bind": HOST,
        "port": port,
        "requirepass": password,
        "dir": f'"{folder}"',
        "pidfile": f'"{folder / "valkey.pid"}"',
        "save": '""',
        "appendonly": "no",
        "daemonize": "no",
    }
    text = "".join(f"{name} {value}\n" for name, value in configuration.items())
    processes.launch([str(binaries().valkey), "-"], log=log, stdin_text=text, answers=_answers)


def stop() -> None:
    """Stop the server."""
    if (pid := _pid()) is not None:
        processes.stop(pid, gently=signal.SIGTERM, firmly=signal.SIGKILL)


def lives() -> bool:
    """Tell whether the server process exists, even if it does not answer."""
    return _pid() is not None


def _pid() -> int | None:
    folder = server_root() / "valkey"
    return processes.pid_of_server(folder / "valkey.pid", folder)


def _address() -> tuple[int, str]:
    """Return port and password, chosen once per state folder."""
    path = home() / ADDRESS
    try:
        text = write_once(ADDRESS, _new_address())
        # In a copied folder, it is the address of the original's server. A server that works in our folder is
        # ours, whatever the file says: it may be of an older version.
        if json.loads(text).get("home") != _identity_of_home() and _pid() is None:
            _drop_address(text)
            text = write_once(ADDRESS, _new_address())
        address = json.loads(text)
        return int(address["port"]), str(address["password"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmbeddedServerError(f"{path} is damaged; remove it and start again.") from error


def _new_address() -> str:
    free = (port for port in random.sample(PORTS, 50) if not _is_port_in_use(port))
    address = {"port": next(free, PORTS[0]), "password": secrets.token_urlsafe(24)}
    return json.dumps(address | {"home": _identity_of_home()})


def _identity_of_home() -> str:
    """Return what a copy of the state folder does not share with it."""
    return f"{home()} {prepare_home().stat().st_ino}"


def _drop_address(text: str) -> None:
    """Remove the address, unless another process has just chosen a new one."""
    with describe_os_errors("Choosing another address for Valkey"):
        folder = os.open(home(), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if (home() / ADDRESS).read_text() == text:
                    (home() / ADDRESS).unlink()
        finally:
            os.close(folder)


def _is_port_in_use(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError:
            return True
    return False


def _answers() -> bool:
    """Tell whether our server listens there: another would not accept the password."""
    port, password = _address()
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            reply = b""
            while reply.count(b"\r\n") < 2 and (more := connection.recv(256)):
                reply += more
    except OSError:
        return False
    return reply == b"+OK\r\n+PONG\r\n"
