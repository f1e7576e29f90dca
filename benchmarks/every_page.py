"""Open every page of every door as ops, a merchant and a courier, and print how long each took.

Of the database of this checkout: an empty one, migrated, that `python -m benchmarks.filling_tenants` filled.
`python -m benchmarks.every_page` first adds one of every thing (`tests.access.world`), couriers and merchants
with parcels, and what merchants and couriers know of each other; a second run uses what is there.
`python -m benchmarks.admin_lists` opens the admin's lists with every filter, and searches them.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.admin_lists import report

# Of the world of the access table, and busy ones of the benchmarks' members.
ACTORS: Final = ("ops", "merchant_owner", "courier_owner", "merchant_key", "courier_key")
BUSY: Final = ("busy_merchant", "busy_courier", "busy_merchant_key", "busy_courier_key")
# What people type into a search: a part of a name, a reference, and what nothing is called.
TERMS: Final = ("有限公司", "SO-1-7", "杭州", "龘")
COURIERS, MERCHANTS, CITIES, PARCELS = 3, 20, 10, 30_000
EVERY_PAGE: Final = "every-page.json"


def main() -> None:
    """Print a line for each page, the slowest first."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    # One client here opens what hundreds would.
    os.environ.setdefault("API_RATE_PER_MINUTE", "10000000")
    os.environ.setdefault("TRACKING_RATE_PER_MINUTE", "10000000")
    os.environ.setdefault("SHOP_RATE_PER_MINUTE", "10000000")
    from alliance import embedded  # noqa: PLC0415 -- reads the environment

    with embedded.running():
        import django  # noqa: PLC0415

        django.setup()
        from django.core.management import call_command  # noqa: PLC0415

        # Pages link to assets with hashed names.
        call_command("collectstatic", interactive=False, verbosity=0)
        report(_pages(_world()))


def _world() -> dict[str, dict[str, str]]:
    """Return sessions, tokens and things by their names, as an earlier run made them, or made now."""
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    stored = Path(settings.HOME) / EVERY_PAGE
    if not stored.exists():
        with _quick_hashes():
            stored.write_text(json.dumps(_made()))
    world: dict[str, dict[str, str]] = json.loads(stored.read_text())
    return world


@contextmanager
def _quick_hashes() -> Iterator[None]:
    from django.test import override_settings  # noqa: PLC0415 -- after django.setup()

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@contextmanager
def _temporary_tables() -> Iterator[None]:
    """Let the server's role make temporary tables, as it may in the databases of benchmarks."""
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    from benchmarks.database import administer  # noqa: PLC0415

    database = settings.DATABASES["default"]
    administer(f'GRANT TEMPORARY ON DATABASE {database["NAME"]} TO "{database["USER"]}"')
    try:
        yield
    finally:
        administer(f'REVOKE TEMPORARY ON DATABASE {database["NAME"]} FROM "{database["USER"]}"')


def _made() -> dict[str, dict[str, str]]:
    from django.db import transaction  # noqa: PLC0415 -- after django.setup()

    from alliance.models import User  # noqa: PLC0415
    from alliance.tenancy import Scope, raw_rows, scope  # noqa: PLC0415
    from benchmarks import filling, members, tenants_world  # noqa: PLC0415
    from tests.access import world as access_world  # noqa: PLC0415

    # First: it makes the months of parcels, too, and every courier sells, which an applicant may not.
    couriers, merchants = members.make(COURIERS, MERCHANTS)
    members.offer_everywhere(CITIES)
    with transaction.atomic():
        world = access_world.build()
    with _temporary_tables():
        filling.fill(
            history=PARCELS,
            road=PARCELS // 10,
            couriers=[courier.organisation_id for courier in couriers],
            merchants=[merchant.organisation_id for merchant in merchants],
            seed=1,
        )
    with scope(Scope.everything()):
        [(last,)] = raw_rows("SELECT count(*) FROM parcels_merchant")
    tenants_world.trade(1, last)
    sessions = {
        actor: members.session_of_user(User.objects.get(email=f"{actor}@alliance.example"))
        for actor in ACTORS
        if not actor.endswith("_key")
    }
    for name, member in (("busy_merchant", merchants[1]), ("busy_courier", couriers[0])):
        sessions[name] = members.session_of(member)
        world.tokens[f"{name}_key"] = member.token
    return {"sessions": sessions, "tokens": world.tokens, "things": world.things}


def _pages(world: dict[str, dict[str, str]]) -> Iterator[tuple[Any, str, str]]:
    """Yield a client, an address, and who asks for it."""
    from django.urls import reverse  # noqa: PLC0415 -- after django.setup()

    from tests.access.table import TABLE  # noqa: PLC0415

    rows = [row for row in TABLE if row.method == "GET" and "logout" not in row.route]
    clients = {actor: _client(actor, world) for actor in (*ACTORS, *BUSY)}
    for row in rows:
        address = reverse(row.route, args=[world["things"].get(name, name) for name in row.path])
        address += f"?{row.query}" if row.query else ""
        is_api = row.route.startswith("api:")
        for actor in (*ACTORS, *(() if row.path else BUSY)):
            if actor.endswith("_key") == is_api and actor in (*row.visitors, *BUSY):
                yield clients[actor], address, actor
    for actor in ("ops", *(name for name in (*ACTORS, *BUSY) if not name.endswith("_key"))):
        for term in TERMS:
            for route, name in (("palette_find", "q"), ("parcels:parcel_list", "search")):
                yield clients[actor], f"{reverse(route)}?{name}={term}", actor


def _client(actor: str, world: dict[str, dict[str, str]]) -> Any:
    from django.test import Client  # noqa: PLC0415 -- after django.setup()

    client = Client(HTTP_HOST="127.0.0.1", raise_request_exception=False)
    if actor in world["sessions"]:
        client.cookies.load(world["sessions"][actor])
    if actor in world["tokens"]:
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {world['tokens'][actor]}"
    return client


if __name__ == "__main__":
    main()
