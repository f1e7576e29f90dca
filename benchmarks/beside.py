"""Pages of this checkout beside those of another one, in turns: processor time of Python a call.

    git worktree add ../before REVISION && cd ../before && ln -s ../here/.venv .venv
    .venv/bin/python manage.py build_assets && .venv/bin/python manage.py up --no-demo  # leave it running
    .venv/bin/python manage.py demo --days 5
    cd ../here && .venv/bin/python manage.py up --demo-days 5  # leave it running
    .venv/bin/python -m benchmarks.beside ../before

Each checkout has its own servers, and its own demo of the same size. The application is called within one
process a checkout, so neither the client nor gunicorn counts, nor does PostgreSQL.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from typing import IO, Final

MERCHANT, COURIER = "merchant@alliance.example", "courier@alliance.example"
_OF_BOTH: Final = ("/parcels/", "/breaches/", "/statements/", "/members/", "/api-keys/", "/exports/")
PAGES: Final = (
    *((MERCHANT, path) for path in (*_OF_BOTH, "/bookings/upload/", "/addresses/")),
    *((COURIER, path) for path in (*_OF_BOTH, "/offers/", "/excuses/", "/watch/", "/facilities/")),
)
# Runs in the other checkout, too, so it uses only what both have.
_CALLS: Final = """
import io, logging, os, sys, time
sys.path.insert(0, os.getcwd())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
import django
django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core.wsgi import get_wsgi_application
from alliance.models import User
from alliance.tenancy import Scope, scope
application, cookies = get_wsgi_application(), {}
for handler in logging.getLogger().handlers:
    if isinstance(handler, logging.StreamHandler):
        handler.setStream(io.StringIO())

def log_in(email):
    with scope(Scope.everything()):
        user, session = User.objects.get(email=email), SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
        session.save()
    return f"sessionid={session.session_key}"

def call(email, path):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1", "HTTP_COOKIE": cookies[email],
        "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False}
    statuses = []
    response = application(environ, lambda status, _headers, _exc=None: statuses.append(status))
    b"".join(response)
    response.close()
    if not statuses[0].startswith("200"):
        sys.exit(f"{path}: {statuses[0]}")

print("ready", flush=True)
for line in sys.stdin:
    email, path, calls = line.split()
    cookies[email] = cookies.get(email) or log_in(email)
    begun = time.process_time()
    for _call in range(int(calls)):
        call(email, path)
    print((time.process_time() - begun) / int(calls), flush=True)
"""


class Checkout:
    """A process that calls the pages of one checkout."""

    def __init__(self, folder: Path) -> None:
        python = folder / ".venv" / "bin" / "python"
        self._process = subprocess.Popen(
            [python, "-c", _CALLS], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def seconds(self, email: str, path: str, calls: int) -> float:
        """Return the processor time of a call."""
        questions: IO[str] = self._process.stdin  # type: ignore[assignment]
        questions.write(f"{email} {path} {calls}\n")
        questions.flush()
        return float(self._answer())

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _answer(self) -> str:
        answers: IO[str] = self._process.stdout  # type: ignore[assignment]
        answer = answers.readline()
        if not answer:
            raise RuntimeError("a checkout does not answer: see its error above")
        return answer


def main() -> None:
    """Print a line a page: milliseconds there and here, and how many times as fast it is here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("folder", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=5, help="calls of a page a round")
    options = parser.parse_args()
    there, here = Checkout(options.folder.resolve()), Checkout(Path.cwd())
    for email, path in PAGES:
        rounds = [
            (there.seconds(email, path, options.calls), here.seconds(email, path, options.calls))
            for _round in range(options.rounds + 1)
        ]
        # Not the first one, which fills caches.
        before, now = (1000 * statistics.median(times) for times in zip(*rounds[1:], strict=True))
        name = f"{email.partition('@')[0]} {path}"
        sys.stdout.write(f"{name:28} there {before:7.1f} ms  here {now:7.1f} ms  {before / now:5.2f} times\n")
        sys.stdout.flush()
    there.close()
    here.close()


if __name__ == "__main__":
    main()
