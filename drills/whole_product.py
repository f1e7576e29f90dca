"""The product as `manage.py up` runs it, on a drill's server: web, worker, beat, with a Valkey of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings

from drills.servers import OWNER, ROLE, ProgramFailed, Server, Site
from tests.chaos.programs import Program, free_port

READY = "Ctrl-C stops everything and keeps the data."
START_SECONDS = 300.0
_TOLD_OTHERWISE = {"DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EMAIL_URL"}


class WholeProduct:
    """All programs of the product, and commands run beside them."""

    def __init__(self, site: Site, server: Server) -> None:
        self.port, self.folder = free_port(), site.folder / "product"
        self.folder.mkdir(mode=0o711)
        self.media, self.archive = self.folder / "media", self.folder / "months"
        plain = {name: value for name, value in os.environ.items() if name not in _TOLD_OTHERWISE}
        self.environment = plain | {
            "ALLIANCE_HOME": str(self.folder / "state"),
            "DATABASE_URL": site.url(ROLE, server),
            "OWNER_DATABASE_URL": site.url(OWNER, server),
            "MEDIA_ROOT": str(self.media),
            "ARCHIVE_ROOT": str(self.archive),
            # Collected by whichever run finds it old.
            "STATIC_ROOT": str(settings.STATIC_ROOT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "LOG_LEVEL": "WARNING",
            "PYTHONWARNINGS": "ignore",
            "DJANGO_SETTINGS_MODULE": "alliance.settings",
        }
        command = [sys.executable, "manage.py", "up", "--no-demo", "--port", str(self.port)]
        self._up = Program("up", command, self.environment, self.folder, ready_when=READY)

    def start(self) -> None:
        """Start it, and wait until it serves; raises ProgramFailed when it does not."""
        self._up.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._up.is_ready:
            if not self._up.lives or time.monotonic() > deadline:
                raise ProgramFailed(f"the product did not start: {self._up.said[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        self._up.stop()

    def drop(self) -> None:
        """Stop it, and its Valkey should that have stayed behind."""
        self.stop()
        self.shell("python manage.py reset --yes")

    def module(self, *arguments: object) -> str:
        """Run a module of ours against it and return what it says; raises ProgramFailed."""
        code, said = self._run([sys.executable, "-m", *map(str, arguments)])
        if code:
            raise ProgramFailed(f"{arguments[0]} ended with {code}: {said[-3000:]}")
        return said

    def shell(self, text: str, **variables: object) -> tuple[int, str]:
        """Run lines of the runbook as somebody at its machine; return the exit code and what they say."""
        return self._run(["/bin/sh", "-euc", text], **variables)

    def checks(self) -> dict[str, Any]:
        """Return what readiness says of each part."""
        try:
            answer = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=20).read()
        except urllib.error.HTTPError as error:
            answer = error.read()
        found: dict[str, Any] = json.loads(answer)["checks"]
        return found

    def files(self) -> set[str]:
        """Return the files beside the database."""
        paths = (path for folder in (self.media, self.archive) for path in folder.rglob("*"))
        return {str(path) for path in paths if path.is_file()}

    def _run(self, command: list[str], **variables: object) -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            env=self.environment | {name: str(value) for name, value in variables.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout
