"""Addresses that an API key may be used from: single ones and networks, of both kinds."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from django.utils.translation import gettext as _

MOST_NETWORKS: Final = 50
# Of the text of one entry in an error.
_SHOWN: Final = 60


def networks_of(text: str) -> tuple[list[str], list[str]]:
    """Read what somebody typed, divided by lines, spaces or commas; return networks, and what is wrong."""
    entries = [entry for entry in re.split(r"[\s,;，；、]+", text) if entry]
    found: dict[str, None] = {}
    refused = []
    for place, entry in enumerate(entries, start=1):
        network = _network(entry)
        if network is None:
            refused.append(
                _(
                    "Entry %(place)d, “%(entry)s”, is no address or network. Write 203.0.113.7,"
                    " 203.0.113.0/24 or 2001:db8::/48."
                )
                % {"place": place, "entry": entry[:_SHOWN]}
            )
        else:
            found[str(network)] = None
    if len(found) > MOST_NETWORKS:
        refused.append(_("Enter at most %d addresses and networks.") % MOST_NETWORKS)
    return [*found], refused


def is_within(networks: Iterable[str], address: str) -> bool:
    """Tell whether a client's address is in one of a key's networks; not if there is no address."""
    return _is_within(tuple(networks), address)


@lru_cache(maxsize=10_000)
def _is_within(networks: tuple[str, ...], address: str) -> bool:
    try:
        client = ip_address(address)
    except ValueError:
        return False
    return any(client in network for each in networks if (network := _network(each)))


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        # 203.0.113.7/24 is taken for its network: people copy it like this from a router's page.
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return IPv4Network(f"{mapped}/{network.prefixlen - 96}")
    return network
