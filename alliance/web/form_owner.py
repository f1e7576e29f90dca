"""For which organisation a form was opened: it is not saved for another.

A user may switch the organisation in one tab while a form is open in another. Each form carries its
organisation beside the CSRF token; the request is refused when the user works for another one by now, and
can be sent again for the first.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from alliance.tenancy import Actor

FIELD = "for_organisation"
HEADER = "X-For-Organisation"
# Sent by the page that refuses a form: switch back, and save it.
SWITCH = "switch_back"


def for_any_organisation(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view whose forms do not depend on the organisation that the user works for."""
    view.for_any_organisation = True  # type: ignore[attr-defined]
    return view


def owner_of(actor: Actor) -> str:
    """Return what forms of an actor carry."""
    return str(actor.organisation_id or 0)


def foreign_owner(request: HttpRequest, actor: Actor, view: Callable[..., Any]) -> str:
    """Return the organisation that the request's form was opened for, if it is another than the actor's."""
    if request.method != "POST" or actor.kind != "user" or getattr(view, "for_any_organisation", False):
        return ""
    # Forms of packages, such as those of the account, belong to the user.
    if ".portal" not in view.__module__:
        return ""
    owner = request.headers.get(HEADER) or request.POST.get(FIELD, "")
    return "" if owner in ("", owner_of(actor)) else str(owner)
