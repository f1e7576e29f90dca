"""A program that webhooks are sent to, in every mood: `python -m drills.webhook_receiver FOLDER HOOKS`.

It listens at one port for each hook, and prints the ports. A line `2 down` on its input changes the mood of
the third one. Each message is noted in FOLDER/received.jsonl, with what it was answered; `verified` is what
the library of Standard Webhooks says, with the secrets in FOLDER/secrets.json.
"""

import asyncio
import json
import random
import re
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError

LOG: Final = "received.jsonl"
SECRETS: Final = "secrets.json"
WELL: Final = "well"
# Refuses connections; answers 500; takes its time; never answers; takes a message and hangs up; is busy.
MOODS: Final = ("down", "errs", "slow", "mute", "hangs-up", "busy")
SLOW_SECONDS: Final = (0.05, 1.0)
_LENGTH: Final = re.compile(rb"(?i)content-length: *(\d+)")


class Hook:
    """One address."""

    def __init__(self, place: int, folder: Path) -> None:
        self.place, self.folder, self.mood, self.port = place, folder, WELL, 0
        self._log = (folder / LOG).open("a", buffering=1)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def change(self, mood: str) -> None:
        self.mood = mood
        if mood != "down":
            await self.listen()
        elif self._server is not None:
            self._server.close()
            self._server = None
            for writer in self._open:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                body = await reader.readexactly(int(found[1]) if found else 0)
                answer = await self._answer(head.decode("latin-1"), body)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    async def _answer(self, head: str, body: bytes) -> bytes | None:
        """Note a message and return what is answered; None to hang up."""
        mood = self.mood
        if mood == "mute":
            await asyncio.sleep(60)
            return None
        if mood == "slow":
            await asyncio.sleep(random.uniform(*SLOW_SECONDS))  # noqa: S311 -- no secret
        status = {"errs": 500, "busy": 429, "hangs-up": 0, "down": 0}.get(mood, 204)
        self._note(head, body.decode(), status)
        if not status:
            return None
        wait = "Retry-After: 2\r\n" if mood == "busy" else ""
        length = "" if status == 204 else "Content-Length: 0\r\n"
        return f"HTTP/1.1 {status} {mood}\r\n{wait}{length}\r\n".encode()

    def _note(self, head: str, body: str, status: int) -> None:
        lines = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        headers = {name.lower(): value for name, value in lines}
        message: dict[str, Any] = json.loads(body)
        note = {
            "hook": self.place,
            "id": headers["webhook-id"],
            "status": status,
            "verified": self._verifies(body, headers),
            "sequence": message["sequence"],
            "number": message["data"].get("tracking_number"),
            "what": message["data"].get("status"),
        }
        self._log.write(json.dumps(note) + "\n")

    def _verifies(self, body: str, headers: dict[str, str]) -> bool:
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError:
            return False
        return True

    @cached_property
    def _webhook(self) -> Webhook:
        # Not there yet when it begins to listen: a webhook is made with its address.
        return Webhook(json.loads((self.folder / SECRETS).read_text())[self.place])


async def run(folder: Path, count: int) -> None:
    hooks = [Hook(place, folder) for place in range(count)]
    for hook in hooks:
        await hook.listen()
    print(json.dumps([hook.port for hook in hooks]), flush=True)  # noqa: T201 -- a drill's program
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := (await orders.readline()).decode():
        place, mood = line.split()
        await hooks[int(place)].change(mood)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
