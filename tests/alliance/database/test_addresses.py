"""Addresses of databases: one host or several, and errors that say what is wrong and keep the password."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from alliance.database.addresses import settings_of


def test_address_of_one_host() -> None:
    assert settings_of("DATABASE_URL", "postgres://alliance:p%40ss@db.example/parcels?sslmode=require") == {
        "NAME": "parcels",
        "USER": "alliance",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "",
        "OPTIONS": {"sslmode": "require"},
    }


@pytest.mark.parametrize(
    ("places", "host", "port"),
    [
        ("one:5432,two:6432", "one,two", "5432,6432"),
        ("one,two", "one,two", ","),
        ("one,two:6432", "one,two", ",6432"),
        ("[::1]:5432,[::2]:5433", "::1,::2", "5432,5433"),
    ],
)
def test_address_of_several_hosts_asks_for_the_one_that_can_be_written_to(
    places: str, host: str, port: str
) -> None:
    found = settings_of("DATABASE_URL", f"postgres://alliance:pw@{places}/parcels")
    assert (found["HOST"], found["PORT"]) == (host, port)
    assert found["OPTIONS"] == {"target_session_attrs": "read-write"}


def test_address_of_several_sockets() -> None:
    found = settings_of("DATABASE_URL", "postgres://alliance@/parcels?host=/run/one,/run/two&port=6432")
    assert (found["HOST"], found["PORT"]) == ("/run/one,/run/two", "6432,6432")


def test_address_of_a_socket_in_the_path() -> None:
    found = settings_of("DATABASE_URL", "postgresql://alliance@:5432//run/postgresql/parcels")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("/run/postgresql", "5432", "parcels")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("mysql://alliance:hush@one/parcels", "must look like postgres://"),
        ("postgres://alliance:hush@one:54x2,two/parcels", "has a port that is no number"),
        ("postgres://alliance:hush@one:70000/parcels", "has a port that is no number"),
        ("postgres://alliance:hush@one,,two/parcels", "has an empty host in its list"),
        ("postgres://alliance:hush@one:1,two:2,/parcels", "has an empty host in its list"),
        ("postgres://alliance:hush@one,two/parcels?port=1,2,3", "has 2 hosts and 3 ports"),
        ("postgres://alliance:hush@one,two/parcels?target_session_attrs=any", "hosts that are any"),
        ("postgres://alliance:hush@one/parcels?host_name=two", "cannot be read"),
        ("postgres://alliance:hush%4@one/parcels", "cannot be read"),
        ("postgres://alliance:hush@[one/parcels", "cannot be read"),
        ("postgres://one,two/parcels", "names no role"),
        ("postgres://alliance:hush@one,two", "names no database"),
    ],
)
def test_wrong_address_is_refused_by_its_variable_and_without_its_password(address: str, reason: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=reason) as raised:
        settings_of("OWNER_DATABASE_URL", address)
    assert str(raised.value).startswith("OWNER_DATABASE_URL ")
    assert "hush" not in str(raised.value)
