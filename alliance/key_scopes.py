"""What API keys may do: scopes in the words of the API, and the capabilities that each gives its key.

A scope is a resource and an action, `labels:read`. Each route of the API belongs to a resource; a key reaches
it by a scope of that resource, and has the capabilities of that scope only while it is there. So the
permission to print labels, which have names and phones on them, unmasks no list of parcels.

Writing includes reading. Keys made before there were resources have capabilities instead, and may go wherever
these lead.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability
from alliance.registry import Registry

C = Capability
Action = Literal["read", "write", "unmask"]


@dataclass(frozen=True, slots=True)
class Permission:
    """What a scope gives: its capabilities, one of which the giver must have (`main`).

    `along` are those that a call has as well if another scope of the key gives them.
    """

    label: str | Promise
    capabilities: frozenset[Capability]
    main: frozenset[Capability]
    along: frozenset[Capability] = frozenset()


@dataclass(frozen=True, slots=True)
class Resource:
    """What a group of routes is about, and the actions that keys may be given on it."""

    label: str | Promise
    actions: dict[str, Permission]


def _permission(
    label: str | Promise, *capabilities: Capability, main: Iterable[Capability] = ()
) -> Permission:
    return Permission(label, frozenset(capabilities), frozenset(main or capabilities[-1:]))


# A webhook sends a key no event of what the key may not read.
_VIEWS: Final = frozenset((C.VIEW_PARCELS, C.VIEW_RATES, C.VIEW_FINANCE))
_HAND_OVER: Final = (C.VIEW_PARCELS, C.BOOK_PARCELS, C.SEND_SCANS)

# As an API's user reads them: what is sent most comes first.
RESOURCES: Final[Registry[str, Resource]] = Registry(
    "resource of the API",
    {
        "parcels": Resource(
            _("Parcels"),
            {
                "read": _permission(_("See parcels and the watch list"), C.VIEW_PARCELS),
                "write": _permission(_("Quote, book and cancel"), C.VIEW_PARCELS, C.BOOK_PARCELS),
                "unmask": _permission(_("See full names, phones and addresses"), C.UNMASK),
            },
        ),
        "labels": Resource(
            _("Labels"),
            {"read": _permission(_("Print labels"), *_HAND_OVER, C.UNMASK)},
        ),
        "scans": Resource(_("Scans"), {"write": _permission(_("Send scans"), C.SEND_SCANS)}),
        "pickups": Resource(
            _("Pickups"),
            {
                "read": _permission(_("See pickup requests"), C.VIEW_PARCELS),
                "write": _permission(_("Request and answer"), *_HAND_OVER, main=_HAND_OVER[1:]),
            },
        ),
        "manifests": Resource(
            _("Manifests"),
            {
                "read": _permission(_("See manifests"), C.VIEW_PARCELS),
                "write": _permission(_("Make and pick up"), *_HAND_OVER, main=_HAND_OVER[1:]),
            },
        ),
        "returns": Resource(
            _("Returns"),
            {
                "read": _permission(_("See requests and the policy"), C.VIEW_PARCELS, C.BOOK_PARCELS),
                "write": _permission(
                    _("Issue, approve and decline"),
                    *(C.VIEW_PARCELS, C.ALLOCATE, C.BOOK_PARCELS),
                ),
            },
        ),
        "recipients": Resource(
            _("Address book"),
            {
                "read": _permission(_("See saved recipients"), C.UNMASK, C.BOOK_PARCELS),
                "write": _permission(_("Save and remove"), C.UNMASK, C.BOOK_PARCELS),
            },
        ),
        "rules": Resource(
            _("Allocation rules"),
            {
                "read": _permission(_("See the rules"), C.BOOK_PARCELS),
                "write": _permission(_("Change the rules"), C.BOOK_PARCELS, C.ALLOCATE),
            },
        ),
        "offers": Resource(
            _("Offers"),
            {
                "read": _permission(_("See own offers"), C.VIEW_OFFERS),
                "write": _permission(_("Change offers and capacity"), C.VIEW_OFFERS, C.MANAGE_OFFERS),
            },
        ),
        "rates": Resource(
            _("On-time rates"),
            {"read": _permission(_("See rates, breaches and scorecards"), C.VIEW_RATES)},
        ),
        "excuses": Resource(
            _("Exemptions"),
            {
                "read": _permission(_("See requests"), C.VIEW_RATES),
                "write": _permission(_("Request exemptions"), C.VIEW_RATES, C.CLAIM_EXCUSES),
            },
        ),
        "exports": Resource(
            _("Exports"),
            {
                "read": _permission(_("Download files"), C.VIEW_RATES, C.EXPORT),
                "write": _permission(_("Request files"), C.VIEW_RATES, C.EXPORT),
            },
        ),
        "webhooks": Resource(
            _("Webhooks"),
            # Reading the log needs as much: it shows what is sent.
            {
                "write": replace(
                    _permission(_("Manage webhooks and read their log"), C.MANAGE_WEBHOOKS), along=_VIEWS
                )
            },
        ),
        "statements": Resource(
            _("Statements"),
            {
                "read": _permission(_("See fees, credits and statements"), C.VIEW_FINANCE),
                "write": _permission(
                    _("Enter surcharges and mark months as settled"), C.VIEW_FINANCE, C.SETTLE
                ),
            },
        ),
    },
)


@dataclass(frozen=True, slots=True)
class RouteScope:
    """Which scope a route asks for: of what resource; and of reading or writing, whatever the method is."""

    resource: str
    always: str = ""

    def action(self, method: str | None) -> str:
        return self.always or ("read" if method in ("GET", "HEAD", "OPTIONS") else "write")


# What each key may use, and whoever has none.
OPEN: Final = RouteScope("")
# First word of a route below /api/v1/, or the name of a route that differs from others with its word -> its
# scope. What is missing here is closed to keys with scopes: tests/alliance/test_key_scopes.py names it.
ROUTES: Final[Registry[str, RouteScope]] = Registry("scope of a route", {"": OPEN})


def scope_of_route(route: str, url_name: str | None, method: str | None) -> str | None:
    """Return the scope that a call of the API needs: "" for none, None if no scope leads there."""
    found = _route_scope(route, url_name)
    if found is None or not found.resource:
        return None if found is None else ""
    return f"{found.resource}:{found.action(method)}"


@lru_cache(maxsize=512)
def _route_scope(route: str, url_name: str | None) -> RouteScope | None:
    word = route.removeprefix("api/v1/").partition("/")[0]
    return ROUTES.get(url_name or "") or ROUTES.get(word)


def permission_of(scope: str) -> Permission | None:
    """Return what a scope gives; None if there is none of that name."""
    name, _colon, action = scope.partition(":")
    resource = RESOURCES.get(name)
    return resource.actions.get(action) if resource else None


@lru_cache(maxsize=10_000)
def capabilities_for(needed: str, granted: frozenset[str]) -> frozenset[Capability] | None:
    """Return the capabilities that granted scopes give a call that needs one; None if there is none."""
    if not needed:
        return frozenset()
    resource, _colon, action = needed.partition(":")
    held = [scope for scope in granted if scope.partition(":")[0] == resource]
    if needed not in granted and not (action == "read" and f"{resource}:write" in granted):
        return None
    along = frozenset().union(*(found.along for scope in held if (found := permission_of(scope))))
    return capabilities_of_scopes(held) | (along & capabilities_of_scopes(granted))


def capabilities_of_scopes(scopes: Iterable[str]) -> frozenset[Capability]:
    """Return all capabilities that scopes give somewhere."""
    found = [permission.capabilities for scope in scopes if (permission := permission_of(scope))]
    return frozenset().union(*found)


def scopes_within(capabilities: frozenset[Capability]) -> list[str]:
    """Return the scopes that somebody with these capabilities may give, in order."""
    return [
        f"{name}:{action}"
        for name, resource in RESOURCES.items()
        for action, permission in resource.actions.items()
        if permission.main & capabilities
    ]


def words_of(scope: str) -> str:
    """Return what a scope allows in words: "Labels: Print labels"."""
    permission = permission_of(scope)
    if permission is None:
        return scope
    resource = RESOURCES[scope.partition(":")[0]]
    return f"{resource.label}: {permission.label}"


@dataclass(frozen=True, slots=True)
class Job:
    """Scopes for a usual kind of program."""

    label: str | Promise
    scopes: tuple[str, ...]


JOBS: Final[dict[str, Job]] = {
    "orders": Job(
        _("Order system: books, prints labels, follows parcels"),
        ("parcels:write", "labels:read", "returns:write", "recipients:write"),
    ),
    "dispatch": Job(
        _("Warehouse: labels, manifests, pickups"),
        ("parcels:read", "labels:read", "manifests:write", "pickups:write"),
    ),
    "depot": Job(
        _("Depot: scans, manifests, pickups"),
        ("parcels:read", "labels:read", "scans:write", "manifests:write", "pickups:write"),
    ),
    "sales": Job(_("Sales: offers and capacity"), ("offers:write", "rates:read")),
    "reports": Job(
        _("Reports: parcels, rates and exports, read only"), ("parcels:read", "rates:read", "exports:write")
    ),
    "books": Job(_("Bookkeeping: statements and exports"), ("statements:read", "exports:write")),
}


def jobs_within(capabilities: frozenset[Capability]) -> dict[str, Job]:
    """Return the jobs all of whose scopes somebody with these capabilities may give."""
    allowed = set(scopes_within(capabilities))
    return {name: job for name, job in JOBS.items() if allowed.issuperset(job.scopes)}
