"""The portal's menu: its items, their order, and who sees them.

Each app has `portal/menu.py` for its own items; those of the kernel are here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from typing import Final

from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix
from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability, OrganisationKind
from alliance.registry import Registry
from alliance.tenancy import Actor
from alliance.web.addresses import address

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
    NavItem(_("Request log"), "list-details", "api_call_list", COMPANY, 110, MEMBERS, Capability.MANAGE_KEYS),
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

    label: str
    icon: str
    url: str
    active: bool
    count: int


@dataclass(frozen=True, slots=True)
class NavSection:
    label: str
    entries: list[NavEntry]


def navigation_for(request: HttpRequest, actor: Actor) -> list[NavSection]:
    """Return the menu of an actor: the items that exist and that the actor may use."""
    present = tuple(map(id, NAVIGATION.values()))
    place = get_language(), get_script_prefix()
    menu = _menu(actor.organisation_kind, actor.capabilities, present, place)
    here = _closest(request.path, [url for _label, lines in menu for _item, _label, url in lines])
    return [
        NavSection(
            label,
            [
                NavEntry(text, item.icon, url, url == here, item.count(actor) if item.count else 0)
                for item, text, url in lines
            ],
        )
        for label, lines in menu
    ]


@lru_cache(maxsize=256)
def _menu(
    kind: str, capabilities: frozenset[Capability], _present: tuple[int, ...], _place: tuple[str | None, str]
) -> list[tuple[str, list[tuple[NavItem, str, str]]]]:
    """Return the sections of a menu, and of each item its label and address."""
    items = sorted(NAVIGATION.values(), key=lambda item: (item.section.place, item.place))
    may_see = [
        item
        for item in items
        if kind in item.kinds and (item.capability is None or item.capability in capabilities)
    ]
    lines = [(item, str(item.label), url) for item in may_see if (url := url_of(item.url_name))]
    sections = groupby(lines, key=lambda line: str(line[0].section.label))
    return [(label, list(lines)) for label, lines in sections]


def url_of(name: str) -> str:
    """Return the address of a page without parameters; "" if there is none of that name."""
    try:
        return address(name)
    except NoReverseMatch:
        return ""


def _closest(path: str, urls: list[str]) -> str:
    # A detail page belongs to its list: the item whose URL is the longest prefix of the path.
    under = [url for url in urls if path.startswith(url)]
    return max(under, key=len, default="")
