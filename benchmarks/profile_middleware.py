"""Profile of middleware: the microseconds of each, by class of call, in one process.

Calls of programs pass none but `ProgramMiddleware`, which calls what the others do for pages: each of these
functions is counted for the middleware that pages have for it.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from unittest import mock

from django.conf import settings
from django.utils.module_loading import import_string

from alliance.models import User
from benchmarks import inside, members
from benchmarks.bench_tracking import JSON, PAGE, some_numbers
from benchmarks.inside import Clock
from benchmarks.world import World

CALLS, WARM = 200, 20
_HOOKS = ("__call__", "process_view")
_VIEW, _REST = "the view, in its scope", "Django's handler, routes"
_WEB = "alliance.web"
# Functions of the short way, and where they are counted.
_OF_PROGRAMS = {
    f"{_WEB}.programs.count_answer": f"{_WEB}.metrics.MetricsMiddleware",
    f"{_WEB}.answers.CompressMiddleware.process_response": f"{_WEB}.answers.CompressMiddleware",
    f"{_WEB}.programs.identify": f"{_WEB}.middleware.RequestIdMiddleware",
    f"{_WEB}.programs.log_answer": f"{_WEB}.request_log.RequestLogMiddleware",
    f"{_WEB}.programs.ask_to_come_later": f"{_WEB}.middleware.RetryAfterMiddleware",
    f"{_WEB}.programs.with_etag": f"{_WEB}.answers.ApiETagMiddleware",
    f"{_WEB}.programs.drop_slash": f"{_WEB}.answers.ApiSlashMiddleware",
    f"{_WEB}.programs.speak_language_of": "django.middleware.locale.LocaleMiddleware",
    f"{_WEB}.programs.require_host_of_ours": "django.middleware.common.CommonMiddleware",
    f"{_WEB}.programs.ProgramHandler.add_headers": f"{_WEB}.privacy.PrivacyHeadersMiddleware",
    f"{_WEB}.programs.ProgramHandler.resolve_request": _REST,
}


def measure(world: World) -> list[dict[str, Any]]:
    """Return a row for each middleware: its microseconds a call, by class of call."""
    costs = {name: _costs(path, more) for name, (path, more) in _calls(world).items()}
    rows = [_REST, *settings.MIDDLEWARE, _VIEW]
    return [
        {
            "where": path if path in (_VIEW, _REST) else path.rpartition(".")[2],
            "us": {name: cost[path] for name, cost in costs.items() if path in cost},
        }
        for path in rows
    ]


def _calls(world: World) -> dict[str, tuple[str, dict[str, str]]]:
    [number] = some_numbers(world, 1)[:1]
    merchant = world.merchants[0]
    staff = User.objects.create_superuser("bench-staff@example.com", "a password of a benchmark")
    return {
        "health": ("/healthz", {}),
        "API": ("/api/v1/tiers", {"HTTP_AUTHORIZATION": f"Bearer {merchant.token}"}),
        "tracking JSON": (JSON.format(number), {}),
        "tracking page": (PAGE.format(number), {}),
        "portal": ("/parcels/", {"HTTP_COOKIE": members.session_of(merchant)}),
        "admin": ("/admin/alliance/city/", {"HTTP_COOKIE": members.session_of_user(staff)}),
    }


def _costs(path: str, more: Mapping[str, str]) -> dict[str, float]:
    """Return the microseconds of each middleware that such a call passes, without those inside it."""
    # Of the processor: a busy machine, and waits for the database, would show in the clock on the wall.
    clock = Clock(time.thread_time)

    def timed(name: str, hook: str, method: Callable[..., Any]) -> Callable[..., Any]:
        if hook == "process_view":
            # The last of them calls the view itself.
            def method_of_view(middleware: Any, request: Any, view: Any, *arguments: Any) -> Any:
                return method(middleware, request, clock.around(_VIEW, view), *arguments)

            return clock.around(name, method_of_view)
        return clock.around(name, method)

    with ExitStack() as patches:
        patches.enter_context(inside.measured_by(clock, _OF_PROGRAMS))
        for name in settings.MIDDLEWARE:
            middleware = import_string(name)
            for hook in _HOOKS:
                if hasattr(middleware, hook):
                    method = timed(name, hook, getattr(middleware, hook))
                    patches.enter_context(mock.patch.object(middleware, hook, method))
        # Made only now: a handler keeps the methods of its middleware.
        app = inside.application()
        for _call in range(WARM):
            inside.call(app, path, **more)
        clock.seconds.clear()
        for _call in range(CALLS):
            with clock.part(_REST):
                inside.call(app, path, **more)
    return {name: 1e6 * seconds / CALLS for name, seconds in clock.seconds.items()}
