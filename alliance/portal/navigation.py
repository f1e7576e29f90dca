"""What the portal's menu holds, for whom, and in which order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.choices import Capability, OrganisationKind
from alliance.tenancy import Actor

COURIER = frozenset({OrganisationKind.COURIER})
MERCHANT = frozenset({OrganisationKind.MERCHANT})
MEMBERS = COURIER | MERCHANT


@dataclass(frozen=True, slots=True)
class NavItem:
    """One line of the menu. One whose URL name does not resolve is left out."""

    label: str | Promise
    icon: str
    url_name: str
    kinds: frozenset[OrganisationKind]
    capability: Capability | None = None
    section: str | Promise = ""


# Where members start; every other page can be missing, this one cannot.
DASHBOARD = "parcels:dashboard_view"
WORK = pgettext_lazy("menu section", "Parcels")
PROMISES = pgettext_lazy("menu section", "Service")
COMPANY = pgettext_lazy("menu section", "Company")

NAVIGATION: tuple[NavItem, ...] = (
    NavItem(_("Dashboard"), "layout-dashboard", DASHBOARD, MEMBERS, Capability.VIEW_RATES),
    NavItem(
        _("Quote and book"), "package-export", "parcels:quote_create", MERCHANT, Capability.BOOK_PARCELS, WORK
    ),
    NavItem(
        _("Book from a file"),
        "file-spreadsheet",
        "parcels:booking_upload",
        MERCHANT,
        Capability.BOOK_PARCELS,
        WORK,
    ),
    NavItem(_("Parcels"), "packages", "parcels:parcel_list", MEMBERS, Capability.VIEW_PARCELS, WORK),
    NavItem(_("Watch list"), "eye-exclamation", "parcels:watch_list", MEMBERS, Capability.VIEW_PARCELS, WORK),
    NavItem(
        _("Pickup addresses"), "map-pin", "parcels:address_list", MERCHANT, Capability.BOOK_PARCELS, WORK
    ),
    NavItem(_("Upload scans"), "scan", "parcels:scan_upload", COURIER, Capability.SEND_SCANS, WORK),
    NavItem(_("Offers"), "route", "slas:offer_list", COURIER, Capability.VIEW_OFFERS, PROMISES),
    NavItem(_("On-time rates"), "chart-line", "slas:rate_list", MEMBERS, Capability.VIEW_RATES, PROMISES),
    NavItem(_("Breaches"), "clock-exclamation", "slas:breach_list", MEMBERS, Capability.VIEW_RATES, PROMISES),
    NavItem(_("Excuses"), "shield-check", "slas:excuse_list", MEMBERS, Capability.VIEW_RATES, PROMISES),
    NavItem(_("Exports"), "file-export", "slas:export_list", MEMBERS, Capability.EXPORT, PROMISES),
    NavItem(_("Scorecards"), "medal", "slas:scorecard_list", COURIER, Capability.VIEW_RATES, PROMISES),
    NavItem(
        _("How couriers are graded"),
        "medal",
        "slas:scorecard_rules",
        MERCHANT,
        Capability.VIEW_RATES,
        PROMISES,
    ),
    NavItem(_("Services and closures"), "calendar-off", "slas:promise_rules", MEMBERS, None, PROMISES),
    NavItem(_("Statements"), "receipt", "slas:statement_list", MEMBERS, Capability.VIEW_FINANCE, PROMISES),
    NavItem(
        _("Application"), "file-certificate", "couriers:application_edit", COURIER, Capability.APPLY, COMPANY
    ),
    NavItem(
        _("Facilities"),
        "building-warehouse",
        "couriers:facility_list",
        COURIER,
        Capability.VIEW_OFFERS,
        COMPANY,
    ),
    NavItem(_("Members"), "users", "member_list", MEMBERS, Capability.MANAGE_MEMBERS, COMPANY),
    NavItem(_("API keys"), "key", "api_key_list", MEMBERS, Capability.MANAGE_KEYS, COMPANY),
)

# URL name -> how many things wait there. Apps add theirs when they are ready.
counts: dict[str, Callable[[Actor], int]] = {}


@dataclass(frozen=True, slots=True)
class NavEntry:
    """A line of the menu as one reader sees it."""

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
    """Return the menu of whoever asks: only what they may do and what exists."""
    shown = [(item, url) for item in NAVIGATION if _may_see(actor, item) and (url := _url(item.url_name))]
    here = _closest(request.path, [url for _item, url in shown])
    sections = groupby(shown, key=lambda pair: str(pair[0].section))
    return [NavSection(label, list(_entries(pairs, here, actor))) for label, pairs in sections]


def _may_see(actor: Actor, item: NavItem) -> bool:
    return actor.organisation_kind in item.kinds and (item.capability is None or actor.can(item.capability))


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _closest(path: str, urls: list[str]) -> str:
    # A parcel's page belongs to the list it is under: the longest address that starts its own.
    under = [url for url in urls if path.startswith(url)]
    return max(under, key=len, default="")


def _entries(pairs: Iterator[tuple[NavItem, str]], here: str, actor: Actor) -> Iterator[NavEntry]:
    for item, url in pairs:
        waiting = counts.get(item.url_name)
        yield NavEntry(item.label, item.icon, url, url == here, waiting(actor) if waiting else 0)
