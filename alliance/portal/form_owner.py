"""The answer to a form that was opened for another organisation than the user works for now."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from alliance.members.services.actors import actor_of_user
from alliance.models import Member, Organisation
from alliance.sandboxes import live_of
from alliance.tenancy import Actor, Scope, scope
from alliance.web.form_owner import FIELD, SWITCH
from alliance.web.requests import ActorRequest

_TOKEN = "csrfmiddlewaretoken"  # noqa: S105 -- the name of a field


def switch_back(request: ActorRequest, owner: str, session_key: str) -> Actor | None:
    """Switch to the form's organisation if the user wants that and belongs to it; return the actor."""
    if SWITCH not in request.POST or _member(request.actor, owner) is None:
        return None
    request.session[session_key] = int(owner)
    return actor_of_user(request.user, organisation_id=int(owner))  # type: ignore[arg-type]


def refuse_form(request: ActorRequest, owner: str) -> HttpResponse:
    """Say for whom the form was, that nothing was saved, and offer to save it for that organisation."""
    member = _member(request.actor, owner)
    with scope(Scope.everything()):
        names = dict(
            Organisation.objects.filter(pk=request.actor.organisation_id or 0).values_list("pk", "name")
        )
    now = names.get(request.actor.organisation_id or 0, "")
    if request.htmx:
        text = _("You now work for %(name)s. Nothing was saved on the page of the other organisation.")
        messages.warning(request, text % {"name": now})
        return HttpResponse(headers={"HX-Refresh": "true"})
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name not in (_TOKEN, FIELD)
    ]
    context = {
        "owner": member.organisation if member else None,
        "now": now,
        "fields": fields,
        "has_files": bool(request.FILES),
        "owner_field": (FIELD, owner),
        "switch_field": SWITCH,
    }
    return render(request, "wrong_organisation.html", context, status=409)


def _member(actor: Actor, owner: str) -> Member | None:
    # More digits are no id, and overflow the database's integer.
    if not owner.isdecimal() or len(owner) > 18:
        return None
    with scope(Scope.user(actor.user_id or 0)):
        members = Member.objects.select_related("organisation").filter(user_id=actor.user_id)
        return members.filter(organisation_id=live_of(int(owner))).first()
