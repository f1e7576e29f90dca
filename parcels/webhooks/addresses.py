"""Which addresses of the network messages may be sent to. Pure functions.

Members type the addresses in, and our servers connect to them: nothing of our own network may be reached that
way (server-side request forgery). The name in an address is checked when it is typed in, and what it resolves
to each time a connection is made (parcels/webhooks/sending.py).
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from parcels.webhooks.rules import URL_LENGTH

# Beyond what `ipaddress` knows as not global: former site-local, and prefixes in which an IPv4 address is.
_REFUSED: Final = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "224.0.0.0/3",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    )
]
# The only range that is handed out for the public.
_GLOBAL_UNICAST: Final = ip_network("2000::/3")
# Below it, services that are no web servers listen.
_LEAST_PORT: Final = 1024
_WEB_PORTS: Final = (80, 443)
# A name as it is in DNS. Its last part is not a number, or it would be read as an IPv4 address.
_NAME: Final = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+(?:[a-z][a-z0-9-]{0,61}[a-z0-9])\.?"
)
_LOCAL: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".corp", ".intranet", ".onion")
_DIGITS_OF_IP: Final = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to somebody out there: not to us, this machine or nobody."""
    try:
        ip = ip_address(address)
    except ValueError:
        # With a zone, too: that of an address of this machine.
        return False
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip not in _GLOBAL_UNICAST or ip.scope_id:
            return False
    return ip.is_global and not any(_contains(network, ip) for network in _REFUSED)


def may_connect(address: str) -> bool:
    """Tell whether a connection may be made. Tests and development open the guard to this machine alone."""
    if settings.WEBHOOKS_TO_THIS_MACHINE and _is_loopback(address):
        return True
    return is_public(address)


def problem_of(url: str) -> str:
    """Return what is wrong with the address of an endpoint, "" if nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return _("This is no address of the web.")
    if len(url) > URL_LENGTH:
        return _("Use at most %d characters.") % URL_LENGTH
    if not url.isascii() or any(char <= " " or char in '\\<>"{}|^`' for char in url):
        return _(
            "Write the address as programs do: a name in other letters as xn--…, other characters as %xx."
        )
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return _("Begin the address with https:// and the name of your server.")
    if parts.scheme == "http" and not settings.WEBHOOKS_OVER_HTTP:
        return _("Use https://: what we send would be read by others on the way.")
    if parts.username is not None or parts.password is not None:
        return _("Leave out user name and password: our signature tells your program that it is us.")
    if parts.fragment or "#" in url:
        return _("Leave out what follows #: it is not sent.")
    if port is not None and port not in _WEB_PORTS and port < _LEAST_PORT:
        return _("Use port 443, or one from %d on.") % _LEAST_PORT
    return _problem_of_host(parts)


def _problem_of_host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if settings.WEBHOOKS_TO_THIS_MACHINE and (host == "localhost" or _is_loopback(host)):
        return ""
    if _DIGITS_OF_IP.fullmatch(host) or ":" in host:
        return "" if is_public(host) else _("This address is not on the public Internet.")
    if not _NAME.fullmatch(host):
        return _("The name of the server is not one of the public Internet.")
    if f".{host.rstrip('.')}".endswith(_LOCAL):
        return _("This address is not on the public Internet.")
    return ""


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _contains(network: object, ip: IPv4Address | IPv6Address) -> bool:
    return ip in network  # type: ignore[operator]
