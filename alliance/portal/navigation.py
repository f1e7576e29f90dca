"""The portal's menu: its items, their order, and who sees them.

Each app has `portal/menu.py` for its own items; those of the kernel are here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.choices import Capability, OrganisationKind
from alliance.registry import Registry
from alliance.tenancy import Actor

COURIER = frozenset({OrganisationKind.COURIER})
MERCHANT = frozenset({OrganisationKind.MERCHANT})
MEMBERS = COURIER | MERCHANT


@dataclass(frozen=True, slots=True)
class Section:
    """Items of the menu under one heading. Sections are sorted by `place`."""

    label: str | Promise
    place: int


@dataclass(frozen=True, slots=True)
class NavItem:
    """An item of the menu, left out if its URL name does not resolve.

    Items are sorted by `place` in their section. `count` returns how many objects wait there.
    """

    label: str | Promise
    icon: str
    url_name: str
    section: Section
    place: int
    kinds: frozenset[OrganisationKind]
    capability: Capability | None = None
    count: Callable[[Actor], int] | None = None


# The first section, without a heading.
START = Section("", 0)
COMPANY = Section(pgettext_lazy("menu section", "Company"), 90)

# URL name -> its item of the menu.
NAVIGATION: Final[Registry[str, NavItem]] = Registry("line of the menu")


def register_menu(*items: NavItem) -> None:
    """Add items to the menu."""
    NAVIGATION.register({item.url_name: item for item in items})


register_menu(
    NavItem(_("Members"), "users", "member_list", COMPANY, 80, MEMBERS, Capability.MANAGE_MEMBERS),
    NavItem(_("API keys"), "key", "api_key_list", COMPANY, 90, MEMBERS, Capability.MANAGE_KEYS),
)


class LinkedPage(StrEnum):
    """Pages of apps that the kernel links to."""

    # The start page of members.
    DASHBOARD = "dashboard"
    # The start page of a courier that is not a member yet.
    APPLICATION = "application"
    # The public search for a parcel by its tracking number.
    TRACKING = "tracking"


# Page -> its URL name.
LINKED_PAGES: Final[Registry[LinkedPage, str]] = Registry("linked page")


@dataclass(frozen=True, slots=True)
class NavEntry:
    """An item of the menu as rendered for one user."""

    label: str | Promise
    icon: str
    url: str
    active: bool
    count: int


@dataclass(frozen=True, slots=True)
class NavSection:
    label: str | Promise
    entries: list[NavEntry]


def navigation_for(request: HttpRequest, actor: Actor) -> list[NavSection]:
    """Return the menu of an actor: the items that exist and that the actor may use."""
    items = sorted(NAVIGATION.values(), key=lambda item: (item.section.place, item.place))
    pairs = [(item, url) for item in items if _may_see(actor, item) and (url := _url(item.url_name))]
    here = _closest(request.path, [url for _item, url in pairs])
    sections = groupby(pairs, key=lambda pair: str(pair[0].section.label))
    return [NavSection(label, list(_entries(pairs, here, actor))) for label, pairs in sections]


def _may_see(actor: Actor, item: NavItem) -> bool:
    return actor.organisation_kind in item.kinds and (item.capability is None or actor.can(item.capability))


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _closest(path: str, urls: list[str]) -> str:
    # A detail page belongs to its list: the item whose URL is the longest prefix of the path.
    under = [url for url in urls if path.startswith(url)]
    return max(under, key=len, default="")


def _entries(pairs: Iterator[tuple[NavItem, str]], here: str, actor: Actor) -> Iterator[NavEntry]:
    for item, url in pairs:
        yield NavEntry(item.label, item.icon, url, url == here, item.count(actor) if item.count else 0)
