"""The palette (Ctrl-K): one field that leads to any page, parcel, lane or partner of a user.

Apps register finders of their own objects in `portal/finders.py`; those of the kernel are its pages. Each
finder reads along an index, and returns a few hits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alliance.portal.navigation import navigation_for
from alliance.registry import Registry
from alliance.tenancy import Actor
from alliance.texts import one_line
from alliance.web.requests import ActorRequest

LONGEST: Final = 80
# Hits of one finder.
FEW: Final = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that the palette leads to."""

    label: str | Promise
    url: str
    icon: str
    note: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds objects by a text; `find` returns a few that the actor may see."""

    label: str | Promise
    place: int
    find: Callable[[Actor, str], list[Hit]]


# Name -> finder.
FINDERS: Final[Registry[str, Finder]] = Registry("finder of the palette")

# Pages of every account, which the menu does not list.
_ACCOUNT: Final = (
    (gettext_lazy("My organisations"), "membership_list", "building"),
    (gettext_lazy("E-mail addresses"), "account_email", "mail"),
    (gettext_lazy("Change password"), "account_change_password", "key"),
    (gettext_lazy("Where you are logged in"), "usersessions_list", "devices"),
)


@dataclass(frozen=True, slots=True)
class Group:
    label: str | Promise
    hits: list[Hit]


@never_cache
@require_safe
@login_required
def palette_find(request: ActorRequest) -> HttpResponse:
    """Find by a text: as a part of the palette, or without scripts as a page."""
    text = one_line(request.GET.get("q", "").replace("\0", ""))[:LONGEST]
    groups = [Group(pgettext("of the portal", "Pages"), _pages(request, text))]
    if text:
        finders = sorted(FINDERS.values(), key=lambda finder: finder.place)
        groups = [*(Group(finder.label, finder.find(request.actor, text)) for finder in finders), *groups]
    context = {"text": text, "groups": [group for group in groups if group.hits]}
    template = "components/palette_results.html" if request.htmx else "alliance/palette.html"
    return render(request, template, context)


def _pages(request: ActorRequest, text: str) -> list[Hit]:
    """The pages of the actor's menu and account whose names hold the text."""
    entries = [entry for section in navigation_for(request, request.actor) for entry in section.entries]
    hits = [Hit(entry.label, entry.url, entry.icon) for entry in entries]
    hits += [Hit(label, reverse(name), icon) for label, name, icon in _ACCOUNT]
    found = [hit for hit in hits if text.casefold() in str(hit.label).casefold()]
    return found if not text else found[:FEW]
