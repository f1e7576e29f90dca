"""Accounts of the demo alliance. The password is public, so the demo stays on this machine unless it is told
otherwise, and is loaded into an empty database only."""

import ipaddress
import socket
from typing import Final, NamedTuple

from django.core.management.base import CommandError


class DemoLogin(NamedTuple):
    role: str
    email: str
    password: str


PASSWORD: Final = "same-day-next-day"  # noqa: S105 -- printed by `make run`
DEMO_LOGINS: Final = (
    DemoLogin("ops", "ops@alliance.example", PASSWORD),
    DemoLogin("courier", "courier@alliance.example", PASSWORD),
    DemoLogin("merchant", "merchant@alliance.example", PASSWORD),
    # Ops user who decides on excuses.
    DemoLogin("service", "service@alliance.example", PASSWORD),
)


def is_public_password(email: str, password: str) -> bool:
    """Tell whether these are the printed words of one of the demo's log-ins."""
    return password == PASSWORD and email.strip().lower() in {login.email for login in DEMO_LOGINS}


def require_private(*hosts: str | None) -> None:
    """Raise CommandError if others than this machine could log in with the demo's passwords."""
    for host in hosts:
        if host and not is_loopback(host):
            raise CommandError(
                f"{host} is open to other machines, and the demo's passwords are public: stay on 127.0.0.1,"
                " or add --public-demo (PUBLIC_DEMO=true for a server of your own) if everybody may log in"
                " as ops."
            )


def is_loopback(host: str) -> bool:
    """Tell whether an address or name means this machine only; False for one that cannot be looked up."""
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_loopback for entry in found)
