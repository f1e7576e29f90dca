"""Call the application in this process, and measure the time of each part."""

import functools
import importlib
import io
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock


class Clock:
    """Seconds per part, without the time of other parts that it calls."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._now = now
        self._open: list[float] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._open.append(0.0)
        begun = self._now()
        try:
            yield
        finally:
            took = self._now() - begun
            self.seconds[name] += took - self._open.pop()
            if self._open:
                self._open[-1] += took

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return timed


@contextmanager
def measure_parts(parts: Mapping[str, str]) -> Iterator[Clock]:
    """Measure the functions of `dotted.name: description` while the block runs."""
    clock = Clock()
    with measured_by(clock, parts):
        yield clock


@contextmanager
def measured_by(clock: Clock, parts: Mapping[str, str]) -> Iterator[None]:
    """Have a clock measure such functions while the block runs."""
    with ExitStack() as patches:
        for path, name in parts.items():
            owner, attribute = _resolve(path)
            patches.enter_context(
                mock.patch.object(owner, attribute, clock.around(name, getattr(owner, attribute)))
            )
        yield


def application() -> Any:
    """Return the product's WSGI application. Requests are logged as usual, but not to this terminal."""
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 -- after django.setup()

    # What the web server changes of Django when it loads the application.
    importlib.import_module("alliance.wsgi")
    app = get_wsgi_application()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(io.StringIO())
    return app


def call(app: Any, path: str, **more: Any) -> None:
    """Call it like gunicorn; `more` is added to the environment, and `body` is the body of a POST."""
    body = more.pop("body", b"")
    environ = {
        "REQUEST_METHOD": "POST" if body else "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        **more,
    }  # fmt: skip
    statuses: list[str] = []
    response = app(environ, lambda status, _headers, _exc=None: statuses.append(status))
    body_text = b"".join(response)
    response.close()
    if not statuses[0].startswith("200"):
        raise RuntimeError(f"{statuses[0]}: {body_text[:300]!r}")


def _resolve(dotted_name: str) -> tuple[Any, str]:
    """Return the module or class, and the name of the attribute."""
    path, _dot, attribute = dotted_name.rpartition(".")
    try:
        return importlib.import_module(path), attribute
    except ModuleNotFoundError:
        module, _dot, owner = path.rpartition(".")
        return getattr(importlib.import_module(module), owner), attribute
