"""Switch between a merchant's live data and its sandbox: the same pages, of another organisation."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from alliance.choices import Capability
from alliance.members.services.sandboxes import open_sandbox
from alliance.sandboxes import live_of
from alliance.tenancy import require_member
from alliance.web.form_owner import for_any_organisation
from alliance.web.middleware import SESSION_KEY
from alliance.web.requests import ActorRequest


@for_any_organisation
@require_POST
@login_required
def switch_mode(request: ActorRequest) -> HttpResponse:
    """Go to the sandbox, which is made at its first use, or back."""
    actor = request.actor
    require_member(actor, Capability.VIEW_PARCELS)
    if request.POST.get("mode") == "live":
        request.session[SESSION_KEY] = live_of(actor.tenant_id)
        return redirect("home")
    request.session[SESSION_KEY] = open_sandbox(actor=actor)
    return redirect("api_key_list" if actor.can(Capability.MANAGE_KEYS) else "home")
