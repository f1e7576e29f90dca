"""The sidebar of the portal's pages: organisation, menu and account, filled like a stencil."""

from collections.abc import Sequence
from typing import NamedTuple

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from alliance.models import Member, Organisation
from alliance.portal.navigation import NavSection
from alliance.portal.theme import chosen_theme
from alliance.templatetags.ui import initial
from alliance.web.addresses import address
from alliance.web.stencils import filled


class _Entry(NamedTuple):
    label: str
    icon: str
    url: str
    active: bool
    # Which of the numbers of what waits is its own, from 1; 0 for none.
    waits: int


class _Section(NamedTuple):
    label: str
    entries: tuple[_Entry, ...]


class Place(NamedTuple):
    """The organisation that a user works for, the role there, and all that the user may switch to."""

    organisation: Organisation | None
    role: str
    memberships: Sequence[Member]


def sidebar(
    request: HttpRequest, csrf_token: str, navigation: Sequence[NavSection], place: Place
) -> SafeString:
    """Return the sidebar of a page. Its forms do not depend on the organisation that the user works for."""
    user, entries = request.user, [entry for section in navigation for entry in section.entries]
    waiting = [str(entry.count) for entry in entries if entry.count]
    texts = {
        "csrf_token": csrf_token,
        "organisation": _organisation(request, place),
        "ui_next": request.get_full_path(),
        "waiting": waiting,
    }
    if user.is_authenticated:
        texts |= {"name": str(user), "initial": initial(user), "email": user.email}
    shape = {
        "sections": _sections(navigation),
        "is_staff": user.is_staff,
        "ui_theme": chosen_theme(request),
        "ui_home_url": address("home"),
        "ui_language_url": address("set_language"),
        "ui_theme_url": address("set_theme"),
    }
    return filled("components/sidebar.html", texts, shape)


def _sections(navigation: Sequence[NavSection]) -> tuple[_Section, ...]:
    sections, waits = [], 0
    for section in navigation:
        entries = []
        for entry in section.entries:
            waits += bool(entry.count)
            entries.append(
                _Entry(entry.label, entry.icon, entry.url, entry.active, waits if entry.count else 0)
            )
        sections.append(_Section(section.label, tuple(entries)))
    return tuple(sections)


def _organisation(request: HttpRequest, place: Place) -> str:
    organisation = place.organisation
    if organisation is None:
        return ""
    if len(place.memberships) > 1:
        names = {"organisation": organisation, "role": place.role, "memberships": place.memberships}
        return render_to_string("components/organisation_menu.html", names, request)
    texts = {"name": organisation.name, "initial": initial(organisation.name), "role": place.role}
    kind = {"kind": organisation.kind, "kind_label": organisation.get_kind_display()}
    return filled("components/organisation.html", texts, kind)
