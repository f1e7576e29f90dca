"""The world of the tests: real PostgreSQL and Valkey, scopes on, three kinds of people.

The database role of the tests is the server's: it owns nothing and is bound by row-level security. Databases
are made by the owner of the tables.
"""

import os
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client, TransactionTestCase, override_settings
from django.utils import translation
from pytest_django.plugin import blocking_manager_key
from rest_framework.test import APIClient

from alliance import embedded, jobs
from alliance.api import throttling
from alliance.celery import app as celery_app
from alliance.choices import Role
from alliance.cities import forget_cities
from alliance.database import cluster
from alliance.members.acquaintances import forget_acquaintances
from alliance.members.services.actors import actor_of_organisation
from alliance.models import City, Organisation, User
from alliance.small_tables import forget_small_tables
from alliance.tenancy import Actor, Scope, scope
from alliance.web import guesses
from parcels.returns.queries import forget_policies
from parcels.scans.places import forget_places
from parcels.tracking.names import forget_names
from slas.forecasts.curves import forget_near
from tests import factories
from tests.citus import servers
from tests.helpers import counts, workers
from tests.helpers.owner import empty_on_nodes, execute_as_owner
from tests.helpers.profiles import register_profiles
from tests.helpers.statement_rules import watching as statement_rules

# The same servers as `make run`, other database; nothing is started where the environment names servers.
try:
    embedded.ensure_running()
except embedded.EmbeddedServerError as error:
    pytest.exit(str(error), 3)
if settings.OWNER_DATABASE is None:
    pytest.exit("Tests make databases: with DATABASE_URL, set OWNER_DATABASE_URL too.", 3)
workers.use_own_valkey_database()

register_profiles()
statement_rules.watch()

# Playwright's synchronous API runs an event loop in the thread the live server is driven from.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

# What tests send, no worker of a running alliance may receive.
celery_app.conf.broker_url = "memory://"

# What migrations put there: a flush between transactional tests must leave it alone.
REFERENCE_TABLES = {
    "alliance_city",
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
    "slas_servicetier",
    "slas_tierversion",
    "slas_creditschedule",
    "slas_scorerules",
}


# Tests of a cluster run on one: `make test-citus`.
collect_ignore = [] if servers.URL else ["citus"]


def _truncate(self: TransactionTestCase) -> None:
    if cluster.is_distributed():
        empty_on_nodes(REFERENCE_TABLES)
        return
    with connection.cursor() as cursor:
        # A table of no size was never written to, or truncated since: most are, and each costs.
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0"
            " AND relnamespace = current_schema()::regnamespace"
        )
        if tables := sorted({row[0] for row in cursor.fetchall()} - REFERENCE_TABLES):
            # No reference table points at any other: a cascade does not reach them.
            execute_as_owner(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if workers.NAME:
        workers.in_order(items)
    if servers.URL:
        servers.skip_those_of_one_server(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> workers.ByFile:
    # Files in the order they are in, not the one with most tests first.
    config.option.loadscopereorder = False
    return workers.ByFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    if (config.getoption("numprocesses") or 0) > workers.MOST:
        raise pytest.UsageError(f"At most {workers.MOST} workers: each needs a database of Valkey's 16.")


def pytest_runtest_setup() -> None:
    # What the test before sent while it was set up has failed it by itself.
    list(statement_rules.broken())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Fail a test whose statements break the rules, though the product may have swallowed the error."""
    yield
    if broken := list(statement_rules.broken()):
        pytest.fail("\n\n".join(broken))


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Only who handed out tests lives longer than all who copied the database.
    hands_out = session.config.getoption("tx") and not workers.NAME
    if hands_out and not session.config.getoption("reuse_db"):
        with session.config.stash[blocking_manager_key].unblock():
            workers.drop_migrated()


TransactionTestCase._fixture_teardown = _truncate  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_keepdb: bool,
    django_db_createdb: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    with django_db_blocker.unblock():
        # Workers have folders of their own in one of their run.
        shared = tmp_path_factory.getbasetemp().parent
        workers.make_database(shared, keep=django_db_keepdb and not django_db_createdb)
    yield
    # What is kept is what was migrated; copies are made anew.
    if workers.is_copy() or not django_db_keepdb:
        with django_db_blocker.unblock():
            workers.drop_database()


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The live server finds assets without a collectstatic; WhiteNoise warns of a missing folder."""
    with override_settings(STATIC_ROOT=tmp_path_factory.mktemp("static")):
        yield


@pytest.fixture(autouse=True)
def _settings_of_tests(settings: object) -> None:
    """Pages find assets without a collectstatic; password hashing is not what tests are about."""
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = True  # type: ignore[attr-defined]
    # Tests log in by it: force_login needs a backend's name, and this one is Django's own.
    settings.AUTHENTICATION_BACKENDS = [  # type: ignore[attr-defined]
        *settings.AUTHENTICATION_BACKENDS,  # type: ignore[attr-defined]
        "django.contrib.auth.backends.ModelBackend",
    ]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    # A request of an earlier test leaves its language in the thread.
    translation.deactivate()
    cache.clear()
    forget_near()
    forget_names()
    forget_policies()
    forget_places()
    forget_acquaintances()
    forget_cities()
    forget_small_tables()
    throttling.forget()
    guesses.forget()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | int, ...]]:
    """Tasks sent to workers, instead of a worker: of each its name, and what it is given."""
    tasks: list[tuple[str | int, ...]] = []
    monkeypatch.setattr(jobs, "send", lambda *task: tasks.append(task))
    return tasks


@pytest.fixture
def django_assert_num_queries(
    django_assert_num_queries: counts.Assert, django_assert_max_num_queries: counts.Assert
) -> counts.Assert:
    """Assert how many statements a block sends, as one server would get them."""
    return counts.OnCluster(django_assert_max_num_queries) if servers.URL else django_assert_num_queries


@pytest.fixture
def django_assert_max_num_queries(django_assert_max_num_queries: counts.Assert) -> counts.Assert:
    """Assert how many statements a block sends at most, as one server would get them."""
    most = django_assert_max_num_queries
    return (lambda number: most(number * servers.SHARDS)) if servers.URL else most


@pytest.fixture
def in_one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every counted call of the test fall into one minute, of which 20 seconds are gone."""
    now = time.time() // throttling.WINDOW * throttling.WINDOW + 20
    monkeypatch.setattr(throttling, "time", SimpleNamespace(time=lambda: now, monotonic=time.monotonic))


@pytest.fixture
def everything(db: None) -> Iterator[None]:
    """Open the scope of workers and ops for a test that looks at the whole."""
    with scope(Scope.everything()):
        yield


@pytest.fixture
def system() -> Actor:
    return Actor.system("test")


@pytest.fixture
def hangzhou(db: None) -> City:
    return City.objects.get(code="CN-HGH")


@pytest.fixture
def chengdu(db: None) -> City:
    return City.objects.get(code="CN-CTU")


@pytest.fixture
def courier_organisation(db: None) -> Organisation:
    return factories.courier_organisation(name="Swift Express")


@pytest.fixture
def merchant_organisation(db: None) -> Organisation:
    return factories.merchant_organisation(name="Lotus Tea")


@pytest.fixture
def rival_courier(db: None) -> Organisation:
    """Another courier: an outsider to everything of `courier_organisation`."""
    return factories.courier_organisation(name="Rival Logistics")


@pytest.fixture
def rival_merchant(db: None) -> Organisation:
    return factories.merchant_organisation(name="Bamboo Books")


@pytest.fixture
def courier(courier_organisation: Organisation) -> Actor:
    return actor_of_organisation(courier_organisation, kind="user", role=Role.OWNER, label="courier owner")


@pytest.fixture
def merchant(merchant_organisation: Organisation) -> Actor:
    return actor_of_organisation(merchant_organisation, kind="user", role=Role.OWNER, label="merchant owner")


@pytest.fixture
def ops_user(db: None) -> User:
    return factories.user("ops@alliance.example", is_staff=True, is_superuser=True)


@pytest.fixture
def courier_user(courier_organisation: Organisation) -> User:
    return factories.member_user("courier@alliance.example", courier_organisation)


@pytest.fixture
def merchant_user(merchant_organisation: Organisation) -> User:
    return factories.member_user("merchant@alliance.example", merchant_organisation)


@pytest.fixture
def ops_client(ops_user: User) -> Client:
    return factories.logged_in(ops_user)


@pytest.fixture
def courier_client(courier_user: User) -> Client:
    return factories.logged_in(courier_user)


@pytest.fixture
def merchant_client(merchant_user: User) -> Client:
    return factories.logged_in(merchant_user)


@pytest.fixture
def courier_api(courier: Actor) -> APIClient:
    """The courier's program, with every scope a key can have."""
    scopes = {"parcels:read", "scans:write", "offers:read", "offers:write", "rates:read", "excuses:claim"}
    return factories.api_client(courier, scopes)


@pytest.fixture
def merchant_api(merchant: Actor) -> APIClient:
    return factories.api_client(merchant, {"parcels:read", "parcels:book", "rates:read", "export"})
