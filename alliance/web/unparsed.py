"""Requests that no application sees, because their first lines cannot be parsed, or are too long."""

import json
import socket
from typing import Final
from uuid import uuid4

from gunicorn import util

_CODES: Final = {414: "address_too_long", 431: "too_large"}
_DETAILS: Final = {414: "This address is too long. Send less in it, or send a body where there is one."}


def send_problem(client: socket.socket, status: int, title: str, detail: str) -> None:
    """Send a problem document; in English, as no language was read. What gunicorn calls to send its page."""
    body = json.dumps(
        {
            "type": f"urn:alliance:problem:{_CODES.get(status, 'malformed')}",
            "title": title,
            "status": status,
            "detail": _DETAILS.get(status, detail),
            "request_id": uuid4().hex,
        }
    ).encode()
    head = (
        f"HTTP/1.1 {status} {title}\r\nConnection: close\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(client, head.encode("latin-1") + body)
