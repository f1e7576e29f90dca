"""The embedded Valkey: a Redis-compatible server on a loopback port with a random password.

It has only queues and caches, so it writes nothing to disk.
"""

import contextlib
import json
import random
import secrets
import signal
import socket

from alliance.embedded import processes
from alliance.embedded.errors import EmbeddedServerError, describe_os_errors
from alliance.embedded.folders import binaries, home, make_server_folder, server_root, write_once

NAME = "Valkey"
HOST = "127.0.0.1"
# Below the ephemeral port range of outgoing connections.
PORTS = range(20_000, 32_000)
ADDRESS = "valkey.json"


def redis_url() -> str:
    """Return the URL of the embedded Valkey; starts nothing.

    Loopback TCP instead of a Unix socket, because kombu, redis-py and Django's cache expect different URLs of
    a socket. If another program uses the port now, another port is chosen.
    """
    port, password = _address()
    if _is_port_in_use(port) and not _answers():
        with describe_os_errors("Choosing another port for Valkey"):
            (home() / ADDRESS).unlink(missing_ok=True)
        port, password = _address()
    return f"redis://:{password}@{HOST}:{port}/0"


def start() -> None:
    """Start the server if it is not running."""
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
    with contextlib.suppress(OSError, ValueError):
        if _answers():
            pid = int((server_root() / "valkey" / "valkey.pid").read_text())
            processes.stop(pid, gently=signal.SIGTERM, firmly=signal.SIGKILL)


def lives() -> bool:
    """Tell whether the server answers."""
    return _answers()


def _address() -> tuple[int, str]:
    """Return port and password, chosen once per state folder."""
    free = (port for port in random.sample(PORTS, 50) if not _is_port_in_use(port))
    new_address = {"port": next(free, PORTS[0]), "password": secrets.token_urlsafe(24)}
    try:
        address = json.loads(write_once(ADDRESS, json.dumps(new_address)))
        return int(address["port"]), str(address["password"])
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedServerError(f"{home() / ADDRESS} is damaged; remove it and start again.") from error


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
