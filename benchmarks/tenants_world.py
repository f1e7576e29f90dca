"""Two alliances that differ only in how many merchants they have, each in a database with a web server.

The larger is a copy of the smaller to which merchants are added, so keys, sessions and parcels are the same
in both. Import after django.setup().
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from django.contrib.auth.hashers import make_password
from django.db import connection, connections
from django.test import override_settings

from alliance.database.owner import as_owner
from alliance.models import City, Organisation, User
from alliance.tenancy import Scope, raw_rows, scope
from benchmarks import filling, members, servers
from benchmarks.database import own_database
from benchmarks.filling_tenants import BUSY, PASSWORD, email_of, fill_tenants
from benchmarks.world import Member
from tests import factories

FEW_NAME, MANY_NAME = "bench_tenants_few", "bench_tenants_many"
COURIERS, MERCHANTS, CITIES, PARCELS = 3, 20, 10, 30_000
# Nobody else has such a name. Of filling's names seven in ten end as this one does.
RARE_NAME, RARE_SLUG = "杭州琉璃灯笼有限公司", "merchant-00000004"
# Merchants that filling made and that have parcels, people who log in, and people without a company.
TRADING, LOGINS, NEWCOMERS = 200, 120, 120
# Argon2 takes twenty times as long as all else of a log-in: no difference would be seen beside it.
QUICK_HASHER = "django.contrib.auth.hashers.MD5PasswordHasher"
ENVIRONMENT = {
    "BENCH_PASSWORD_HASHER": QUICK_HASHER,
    # People sign up from more addresses than one.
    "BEHIND_PROXY": "true",
}


@dataclass(frozen=True, slots=True)
class TenantsWorld:
    """Who calls, the same in both alliances, and the ports of their web servers."""

    few: int
    many: int
    merchant: Member
    courier: Member
    # Cookies.
    merchant_session: str
    courier_session: str
    ops_session: str
    newcomer_sessions: list[str]
    # Accounts with PASSWORD.
    emails: list[str]
    cities: list[str]
    ports: tuple[int, int] = (0, 0)


@contextmanager
def open_tenants(few: int, many: int) -> Iterator[TenantsWorld]:
    """Make both databases and start their web servers; drop and stop them at the end."""
    with own_database(FEW_NAME):
        with override_settings(PASSWORD_HASHERS=[QUICK_HASHER]):
            people = _populate(few)
        trade(1, few)
        connections.close_all()
        with own_database(MANY_NAME, template=FEW_NAME), ExitStack() as stack:
            fill_tenants(many - few, first=few + 1)
            trade(few + 1, many)
            filling.checkpoint()
            ports = [stack.enter_context(_serving(name)) for name in (FEW_NAME, MANY_NAME)]
            yield TenantsWorld(few, many, **people, ports=(ports[0], ports[1]))


def _populate(few: int) -> dict[str, Any]:
    """Make members, merchants by filling, parcels of both, and everybody who logs in."""
    couriers, merchants = members.make(COURIERS, MERCHANTS)
    cities = members.offer_everywhere(CITIES)
    fill_tenants(few)
    emails = [email_of(number) for number in range(1, min(few, LOGINS) + 1)]
    User.objects.filter(email__in=emails).update(password=make_password(PASSWORD), is_active=True)
    with scope(Scope.everything()):
        Organisation.objects.filter(slug=RARE_SLUG).update(name=RARE_NAME)
        trading = raw_rows(
            "SELECT organisation_id FROM alliance_member JOIN alliance_user u ON u.id = user_id"
            " WHERE u.email = ANY (%s)",
            [[email_of(number) for number in range(1, min(few, TRADING) + 1)]],
        )
    filling.fill(
        history=PARCELS,
        road=0,
        couriers=[courier.organisation_id for courier in couriers],
        merchants=[*(m.organisation_id for m in merchants), *(pk for (pk,) in trading)],
        seed=1,
    )
    ops = factories.user("bench-ops@example.com", is_staff=True, is_superuser=True)
    newcomers = [factories.user(f"newcomer-{number}@example.com") for number in range(NEWCOMERS)]
    return {
        "merchant": merchants[1],
        "courier": couriers[0],
        "merchant_session": members.session_of(merchants[1]),
        "courier_session": members.session_of(couriers[0]),
        "ops_session": members.session_of_user(ops),
        "newcomer_sessions": [members.session_of_user(user) for user in newcomers],
        "emails": emails,
        "cities": cities,
    }


# Every merchant that made its first steps has sent parcels by the first courier, which knows its name, and by
# another; figures of a day of the last 60 remain.
_NUMBER = "substring(m.slug FROM '^merchant-([0-9]{8})$')::bigint"
_ACQUAINTANCES = f"""
INSERT INTO alliance_acquaintance (merchant_id, courier_id)
SELECT m.id, k.id
FROM alliance_organisation m
JOIN (SELECT organisation_id AS id, row_number() OVER (ORDER BY organisation_id) AS place
    FROM couriers_courier) k ON k.place IN (1, 2 + m.id %% {COURIERS - 1})
WHERE m.slug BETWEEN %(first)s AND %(last)s AND {_NUMBER} %% {BUSY} = 0
ON CONFLICT DO NOTHING
"""
_CELLS = f"""
INSERT INTO slas_ontimerate (organisation_id, counterpart_id, kind, tier_id, origin_id, destination_id,
    due_date, pending, met, late, overdue, void, excused, attempted, first_attempt, within_48h, within_72h)
SELECT m.id, (SELECT min(organisation_id) FROM couriers_courier), 'delivery',
    (SELECT min(id) FROM slas_servicetier), (%(cities)s::int[])[1 + m.id %% {CITIES}],
    (%(cities)s::int[])[1 + m.id / 7 %% {CITIES}], current_date - (m.id %% 60)::int,
    0, 5, 1, 0, 0, 0, 6, 5, 4, 6
FROM alliance_organisation m
WHERE m.slug BETWEEN %(first)s AND %(last)s AND {_NUMBER} %% {BUSY} = 0
"""
_TRADED = ("alliance_acquaintance", "slas_ontimerate")


def trade(first: int, last: int) -> None:
    """Let the merchants of these numbers have sent parcels: courier and merchant know each other."""
    cities = City.objects.filter(country="CN").order_by("-population", "code")
    parameters = {
        "first": f"merchant-{first:08}",
        "last": f"merchant-{last:08}",
        "cities": list(cities.values_list("pk", flat=True)[:CITIES]),
    }
    with scope(Scope.everything()):
        raw_rows("SET LOCAL synchronous_commit = off")
        for statement in (_ACQUAINTANCES, _CELLS):
            raw_rows(statement, parameters)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(_TRADED)}")


@contextmanager
def _serving(name: str) -> Iterator[int]:
    """Run a web server on one of the databases; yield its port."""
    with ExitStack() as stack:
        with mock.patch.dict(os.environ, {**ENVIRONMENT, "BENCH_DATABASE": name}):
            port, _process = stack.enter_context(servers.web_server())
        yield port
