"""What hostile clients aim at, and how they talk to it: over the wire, well-formed HTTP or not."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any

PATIENCE = 30.0
FILES = "/api/v1/booking-files"
BOUNDARY = b"a-boundary-nobody-writes"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY.decode()}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        return self.headers.get("content-type") == "application/problem+json" and bool(self.json["detail"])


@dataclass(frozen=True, slots=True)
class Target:
    """The running product, with a courier and a merchant whose keys the clients have."""

    port: int
    courier: str
    merchant: str
    # A parcel of the courier's, one of another courier's, and when both were booked.
    number: str
    foreign: str
    booked_at: datetime

    def send(
        self, method: str, path: str, body: bytes | None = None, *, token: str = "", **headers: str
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["Authorization"] = f"Bearer {token}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **named})
            return _read(connection)
        finally:
            connection.close()

    def scans(self, body: bytes, **headers: str) -> Answer:
        return self.send("POST", "/api/v1/scans", body, token=self.courier, **headers)

    def bookings(self, body: bytes, **headers: str) -> Answer:
        return self.send("POST", "/api/v1/parcels/batch", body, token=self.merchant, **headers)

    def upload(self, body: bytes, content_type: str = MULTIPART, **headers: str) -> Answer:
        return self.send("POST", FILES, body, token=self.merchant, Content_Type=content_type, **headers)

    def say(self, text: bytes, *pieces: bytes, pause: float = 0.0, hang_up: bool = False) -> bytes:
        """Send bytes as they are, piece by piece, and return what comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as wire:
            wire.sendall(text)
            try:
                for piece in pieces:
                    time.sleep(pause)
                    wire.sendall(piece)
                if hang_up:
                    wire.shutdown(socket.SHUT_WR)
                return _everything(wire)
            except ConnectionError:
                return _everything(wire)

    @contextmanager
    def open(self, *texts: bytes) -> Iterator[None]:
        """Have connections open on which so much, and no more, was said."""
        wires = [socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) for _text in texts]
        try:
            for wire, text in zip(wires, texts, strict=True):
                wire.sendall(text)
            yield
        finally:
            for wire in wires:
                wire.close()

    def head(self, path: str, *lines: str, token: str = "") -> bytes:
        """The first lines of a POST, written by hand."""
        named = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        named += [f"Authorization: Bearer {token or self.courier}", "Connection: close", *lines, "", ""]
        return "\r\n".join(named).encode()

    def scan(self, **given: Any) -> dict[str, Any]:
        """A good scan, or one with something else in it; `...` leaves a field out."""
        at = (self.booked_at + timedelta(hours=1)).isoformat()
        scan = {"tracking_number": self.number, "code": "picked_up", "occurred_at": at, **given}
        return {name: value for name, value in scan.items() if value is not ...}


def part(content: bytes, *, name: str = "file", file_name: bytes | None = b"bookings.csv") -> bytes:
    """A part of a form, its file name as it is written there; a field, without one."""
    said = b"" if file_name is None else b'; filename="%s"\r\nContent-Type: text/csv' % file_name
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"%s' % (BOUNDARY, name.encode(), said)
    return head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--%s--\r\n" % BOUNDARY


def _read(connection: HTTPConnection) -> Answer:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def _everything(wire: socket.socket) -> bytes:
    heard = b""
    try:
        while more := wire.recv(65536):
            heard += more
    except (ConnectionError, TimeoutError):
        pass
    return heard
