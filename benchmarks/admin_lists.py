"""Open every list, filter, search and picker of the admin, and print how long each took.

Of the database of this checkout, which `python -m benchmarks.filling_tenants` fills:
`python -m benchmarks.admin_lists`. Times are the best of three, of the whole request in this process, and the
processor's in this process and the database's; the longest statement of a slow page is printed with it.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

# As ops type them: a word of two letters in the middle, what millions have, what few or none have.
TERMS: Final = (
    "茶业",
    "公司",
    "co",
    "bright",
    "qx",
    "龘",
    "杭州福",
    "merchant-00000007",
    "owner-00123",
    "Trading",
)
SLOW: Final = 0.3


def main() -> None:
    """Print a line for each page, the slowest first."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    from alliance import embedded  # noqa: PLC0415 -- reads the environment

    with embedded.running():
        import django  # noqa: PLC0415

        django.setup()
        report((client, url, "ops") for client, url in _pages())


def report(pages: Iterable[tuple[Any, str, str]]) -> None:
    """Open the pages, each a client, an address and who asks; print a line for each, the slowest first."""
    times = sorted(((*_measured(client, url), who) for client, url, who in pages), reverse=True)
    slow = [page for page in times if page[0] > SLOW]
    for seconds, cpu, url, statement, who in times:
        sys.stdout.write(f"{seconds * 1000:7.0f} ms {cpu * 1000:6.0f} ms of processors  {url} ({who})\n")
        if seconds > SLOW:
            sys.stdout.write(f"            {statement[:400]}\n")
    sys.stdout.write(f"{len(times)} pages, {len(slow)} of them over {SLOW * 1000:.0f} ms\n")


def _pages() -> Iterator[tuple[Any, str]]:
    from django.contrib import admin  # noqa: PLC0415 -- after django.setup()
    from django.test import Client  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    from alliance.models import User  # noqa: PLC0415

    client = Client(HTTP_HOST="127.0.0.1", raise_request_exception=False)
    client.force_login(
        User.objects.filter(is_superuser=True)[0], "allauth.account.auth_backends.AuthenticationBackend"
    )
    yield client, reverse("admin:index")
    for term in TERMS:
        yield client, f"{reverse('admin:search')}?s={term}"
    for model, listing in admin.site._registry.items():  # noqa: SLF001 -- no public listing
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield client, address
        page = client.get(address)
        shown = (getattr(page, "context_data", None) or {}).get("cl")
        if shown is None:
            continue
        yield client, f"{address}?_popup=1"
        if getattr(shown, "next_url", ""):
            yield client, address + shown.next_url
        for spec in shown.filter_specs:
            yield from ((client, address + choice["query_string"]) for choice in spec.choices(shown))
        if listing.search_fields:
            yield from ((client, f"{address}?q={term}") for term in TERMS)
        for row in list(shown.result_list)[:1]:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            for verb in ("change", "history", "delete"):
                yield client, reverse(f"{name}_{verb}", args=[row.pk])
        yield client, reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
        for field in listing.autocomplete_fields:
            yield from ((client, _picked(model, field, term)) for term in ("", *TERMS))


def _picked(model: Any, field: str, term: str) -> str:
    """Return the address that the picker of a field asks for what was typed."""
    from django.urls import reverse  # noqa: PLC0415 -- after django.setup()

    return (
        f"{reverse('admin:autocomplete')}?app_label={model._meta.app_label}"
        f"&model_name={model._meta.model_name}&field_name={field}&term={term}"
    )


def _measured(client: Any, url: str) -> tuple[float, float, str, str]:
    from django.db import connection  # noqa: PLC0415 -- after django.setup()
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from benchmarks.watching import processor_of  # noqa: PLC0415

    best = (1e9, 0.0, url, "")
    for _try in range(3):
        connection.ensure_connection()
        processes = (os.getpid(), connection.connection.info.backend_pid)
        begun, busy = time.perf_counter(), sum(map(processor_of, processes))
        with CaptureQueriesContext(connection) as queries:
            response = client.get(url)
            if response.streaming:
                # Files of any size come slice by slice.
                next(iter(response.streaming_content), b"")
        seconds = time.perf_counter() - begun
        if connection.connection is None:
            raise SystemExit("The request closed the connection.")
        busy = sum(map(processor_of, processes)) - busy
        longest = max(queries, key=lambda query: float(query["time"]), default={"time": "0", "sql": ""})
        statement = (
            f"{response.status_code}, {len(queries)} statements, {longest['time']} s: {longest['sql']}"
        )
        best = min(best, (seconds, busy, url, statement))
        if seconds < SLOW / 3:
            break
    return best


if __name__ == "__main__":
    main()
