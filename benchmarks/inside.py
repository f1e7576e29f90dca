"""Calls of the application within this process, with a clock at every part of the way."""

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
    """Seconds by part; a part that calls another does not count the other's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[float] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._open.append(0.0)
        begun = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - begun
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
def clocked(parts: Mapping[str, str]) -> Iterator[Clock]:
    """Have a clock at each of these functions, `dotted.name: what it is`, while the block runs."""
    clock = Clock()
    with ExitStack() as patches:
        for dotted, name in parts.items():
            owner, attribute = _found(dotted)
            patches.enter_context(
                mock.patch.object(owner, attribute, clock.around(name, getattr(owner, attribute)))
            )
        yield clock


def application() -> Any:
    """Return the product as gunicorn calls it. Requests are logged as ever, but not here."""
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 -- after django.setup()

    found = get_wsgi_application()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(io.StringIO())
    return found


def call(app: Any, path: str, **more: Any) -> None:
    """Call it as gunicorn would; `more` of the environment, `body` for what is posted."""
    body = more.pop("body", b"")
    environ = {
        "REQUEST_METHOD": "POST" if body else "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        **more,
    }  # fmt: skip
    told: list[str] = []
    response = app(environ, lambda status, _headers, _exc=None: told.append(status))
    answer = b"".join(response)
    response.close()
    if not told[0].startswith("200"):
        raise RuntimeError(f"{told[0]}: {answer[:300]!r}")


def _found(dotted: str) -> tuple[Any, str]:
    """Return the module or class, and the name in it."""
    path, _dot, attribute = dotted.rpartition(".")
    try:
        return importlib.import_module(path), attribute
    except ModuleNotFoundError:
        module, _dot, owner = path.rpartition(".")
        return getattr(importlib.import_module(module), owner), attribute
