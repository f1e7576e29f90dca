"""The embedded Valkey: a Redis-compatible server on a loopback port, behind a random password.

It holds no truth (queues and caches only), so it writes nothing to disk.
"""

import contextlib
import json
import random
import secrets
import signal
import socket

from alliance.embedded import processes
from alliance.embedded.errors import EmbeddedServerError, plainly
from alliance.embedded.folders import binaries, home, make_server_folder, server_root, write_once

NAME = "Valkey"
HOST = "127.0.0.1"
# Below the range that outgoing connections take their ports from.
PORTS = range(20_000, 32_000)
ADDRESS = "valkey.json"


def redis_url() -> str:
    """Return where the embedded Valkey is or will be; starts nothing.

    Loopback TCP and not a socket, because kombu, redis-py and Django's cache spell a socket's
    URL in different ways. A port that a stranger has taken since is given up for another.
    """
    port, password = _address()
    if _is_taken(port) and not _answers():
        with plainly("Choosing another port for Valkey"):
            (home() / ADDRESS).unlink(missing_ok=True)
        port, password = _address()
    return f"redis://:{password}@{HOST}:{port}/0"


def start() -> None:
    """Start the server if it is not running."""
    if _answers():
        return
    port, password = _address()
    if _is_taken(port):
        raise EmbeddedServerError(
            f"Port {port}, which Valkey was to use, has just been taken by another program; try again."
        )
    make_server_folder(server_root())
    folder = make_server_folder(server_root() / "valkey")
    log = make_server_folder(server_root() / "log") / "valkey.log"
    # Given on standard input: the password shows in no list of processes and in no file of the server.
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
    processes.launch([str(binaries().valkey), "-"], log=log, given=text, answers=_answers)


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
    """Return port and password, chosen once for a state folder."""
    free = (port for port in random.sample(PORTS, 50) if not _is_taken(port))
    wanted = {"port": next(free, PORTS[0]), "password": secrets.token_urlsafe(24)}
    try:
        stored = json.loads(write_once(ADDRESS, json.dumps(wanted)))
        return int(stored["port"]), str(stored["password"])
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedServerError(f"{home() / ADDRESS} is damaged; remove it and start again.") from error


def _is_taken(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError:
            return True
    return False


def _answers() -> bool:
    """Tell whether it is our server that listens there: a stranger would not know the password."""
    port, password = _address()
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            heard = b""
            while heard.count(b"\r\n") < 2 and (more := connection.recv(256)):
                heard += more
    except OSError:
        return False
    return heard == b"+OK\r\n+PONG\r\n"
