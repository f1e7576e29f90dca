"""Two servers of a drill: the product's backend finds the promoted one, by the runbook's own commands."""

from collections.abc import Iterator

import pytest
from django.db import Error, connection

from alliance import health
from alliance.database.addresses import settings_of
from drills.runbook import Runbook
from drills.servers import REPLICATOR, ROLE, Server, Site, running, site


@pytest.fixture
def place() -> Iterator[Site]:
    with site("test") as found:
        yield found


@pytest.mark.django_db(transaction=True)
def test_promoted_standby_is_found_and_the_old_primary_takes_no_writes(place: Site) -> None:
    alpha, beta = Server(place, "alpha"), Server(place, "beta")
    runbook = Runbook(place)

    def primary_is(server: Server) -> dict[str, str]:
        return {"PRIMARY": f"host=127.0.0.1 port={server.port} user={REPLICATOR} dbname=postgres"}

    before = connection.settings_dict
    with running(alpha, beta):
        alpha.initialise()
        runbook.run("rebuild", beta.variables() | primary_is(alpha))
        alpha.execute("CREATE TABLE sent (id integer); GRANT ALL ON sent TO PUBLIC")
        runbook.run("synchronous", alpha.variables() | {"STANDBYS": "alpha, beta"})
        connection.close()
        connection.settings_dict = {**before, **settings_of("DATABASE_URL", place.url(ROLE, beta, alpha))}
        try:
            write(1)
            alpha.kill()
            assert health._database() == {"ok": False, "detail": "no connection"}
            with pytest.raises(Error):
                write(2)
            connection.close_if_unusable_or_obsolete()
            runbook.run("fence", alpha.variables())
            runbook.run("asynchronous", beta.variables())
            runbook.run("promote", beta.variables())
            write(3)
            # Behind its fence the old primary can be started, and only be read.
            alpha.start()
            assert alpha.value("SELECT pg_is_in_recovery()")
            write(4)
            assert beta.execute("SELECT id FROM sent ORDER BY id") == [(1,), (3,), (4,)]
        finally:
            connection.close()
            connection.settings_dict = before


def write(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO sent VALUES (%s)", [number])
