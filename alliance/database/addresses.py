"""Addresses of databases, as DATABASE_URL and OWNER_DATABASE_URL give them.

One may name several hosts, as libpq's do: a primary and its standbys, or the poolers before them. Whichever
may be written to is connected to, so that a promoted standby is found without a change of settings.
"""

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn

SHAPE = "postgres://role:password@host:5432/database, or with several hosts: @host1:5432,host2:5432/database"
# All that the product does may write: a host that can only be read is of no use to it.
WRITABLE = ("read-write", "primary")
# libpq quotes what it could not read, which may be the password.
_QUOTED = re.compile(r'(:\s*)?"[^"]*"')


def settings_of(variable: str, url: str) -> dict[str, Any]:
    """Return Django's settings of the database of an address.

    Raises ImproperlyConfigured, with the variable's name and without the address, which has a password.
    """
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"{variable} must look like {SHAPE}.")
    try:
        found = parse_dsn(url)
    except ProgrammingError as error:
        reason = _QUOTED.sub("", str(error).removeprefix("invalid dsn: ").strip())
        raise ImproperlyConfigured(
            f"{variable} cannot be read ({reason}); it must look like {SHAPE}."
        ) from None
    name, host = found.pop("dbname", ""), found.pop("host", "")
    if "/" in name and not host:
        # postgres://role@:5432//folder/of/socket/database
        host, _slash, name = name.rpartition("/")
    settings = {
        "NAME": name,
        "USER": found.pop("user", ""),
        "PASSWORD": found.pop("password", ""),
        "HOST": host,
        "PORT": _ports(found.pop("port", ""), hosts=host.count(",") + 1),
    }
    if problem := _problem(settings, found):
        raise ImproperlyConfigured(f"{variable} {problem}; it must look like {SHAPE}.")
    if "," in host:
        found.setdefault("target_session_attrs", WRITABLE[0])
    return settings | {"OPTIONS": found}


def _ports(ports: str, *, hosts: int) -> str:
    """Return libpq's list of ports; a host without one gets the default, not its neighbour's."""
    return ports if hosts == 1 or "," in ports else ",".join([ports or "5432"] * hosts)


def _problem(settings: dict[str, str], options: dict[str, str]) -> str:
    for part, key in (("role", "USER"), ("database", "NAME")):
        if not settings[key]:
            return f"names no {part}"
    hosts = settings["HOST"].split(",")
    if len(hosts) > 1 and not all(hosts):
        return "has an empty host in its list"
    ports = settings["PORT"].split(",")
    if len(ports) != len(hosts):
        return f"has {len(hosts)} hosts and {len(ports)} ports"
    for port in filter(None, ports):
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            return "has a port that is no number from 1 to 65535"
    wanted = options.get("target_session_attrs", WRITABLE[0])
    if wanted not in WRITABLE:
        return f"asks for hosts that are {wanted[:20]}, and only read-write (or primary) serves"
    return ""
