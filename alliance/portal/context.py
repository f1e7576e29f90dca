"""Context processor of all pages. All values are lazy, so an error page needs no query."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.functional import SimpleLazyObject

from alliance.choices import Role
from alliance.demo_progress import demo_progress
from alliance.models import Member, Organisation
from alliance.portal.navigation import LINKED_PAGES, LinkedPage, navigation_for, url_of
from alliance.portal.sidebar import Place, sidebar
from alliance.portal.theme import chosen_theme
from alliance.sandboxes import live_of
from alliance.tenancy import ANONYMOUS, Actor, Scope, scope


def portal(request: HttpRequest) -> dict[str, Any]:
    """Return the names that templates/portal.html and public.html use, all starting with ui_."""
    # API views and early failures run this before the tenancy middleware has set an actor.
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    memberships: Any = SimpleLazyObject(lambda: _memberships(request, actor))
    # Each call makes another copy of it.
    token: Any = SimpleLazyObject(lambda: get_token(request))
    navigation: Any = SimpleLazyObject(lambda: navigation_for(request, actor))
    return {
        "actor": actor,
        "csrf_token": token,
        "request_id": getattr(request, "request_id", ""),
        "ui_navigation": navigation,
        "ui_organisation": SimpleLazyObject(lambda: _organisation(actor, memberships)),
        "ui_sidebar": lambda: sidebar(
            request,
            str(token),
            navigation,
            Place(_organisation(actor, memberships), _role(actor), memberships),
        ),
        "ui_demo": SimpleLazyObject(demo_progress),
        "ui_next": request.get_full_path(),
        "ui_theme": chosen_theme(request),
        **addresses(),
    }


def addresses() -> Mapping[str, str]:
    """Return the addresses that every page links to; "" for those that there are none of."""
    return {
        "ui_home_url": url_of("home"),
        "ui_language_url": url_of("set_language"),
        "ui_theme_url": url_of("set_theme"),
        "ui_login_url": url_of("account_login"),
        "ui_signup_url": url_of("account_signup"),
        "ui_track_url": url_of(LINKED_PAGES[LinkedPage.TRACKING]),
        "ui_docs_url": url_of("api:docs"),
    }


def _memberships(request: HttpRequest, actor: Actor) -> list[Member]:
    if actor.user_id is None:
        return []
    memberships = getattr(getattr(request, "user", None), "memberships_read", None)
    if memberships is None:
        # The scope of the page is one organisation, but the menu lists all organisations of the user.
        with scope(Scope.user(actor.user_id)):
            members = Member.objects.filter(user_id=actor.user_id).select_related("organisation")
            memberships = list(members)
    return sorted(memberships, key=lambda member: member.organisation.name)


def _organisation(actor: Actor, memberships: Iterable[Member]) -> Organisation | None:
    organisations = (member.organisation for member in memberships)
    return next(
        (
            organisation
            for organisation in organisations
            if organisation.pk == live_of(actor.organisation_id or 0)
        ),
        None,
    )


def _role(actor: Actor) -> str:
    return str(Role(actor.role).label) if actor.role else ""
