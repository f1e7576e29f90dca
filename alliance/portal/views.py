"""The front page, and switching the organisation."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from alliance.choices import OrganisationStatus
from alliance.cursors import number
from alliance.errors import NotFound
from alliance.models import Member
from alliance.portal.navigation import LINKED_PAGES, LinkedPage
from alliance.tenancy import Actor, Scope, scope
from alliance.web.form_owner import for_any_organisation
from alliance.web.middleware import SESSION_KEY
from alliance.web.requests import ActorRequest


@require_safe
def home(request: ActorRequest) -> HttpResponse:
    """Show the front page to anonymous users; redirect all others to their start page."""
    actor = request.actor
    if actor.is_anonymous:
        return render(request, "landing.html")
    return redirect(start_page(actor))


def start_page(actor: Actor) -> str:
    """Return the URL of an actor's start page."""
    if actor.is_ops or actor.is_staff:
        return reverse("admin:index")
    if actor.organisation_id is None:
        return reverse("onboarding")
    if actor.is_courier and actor.organisation_status == OrganisationStatus.APPLICANT:
        return reverse(LINKED_PAGES[LinkedPage.APPLICATION])
    if actor.organisation_status == OrganisationStatus.SUSPENDED:
        return reverse("suspended")
    return reverse(LINKED_PAGES[LinkedPage.DASHBOARD])


@for_any_organisation
@require_POST
@login_required
def switch_organisation(request: ActorRequest) -> HttpResponse:
    """Switch to another organisation of the user."""
    actor, organisation_id = request.actor, number(request.POST.get("organisation", ""))
    with scope(Scope.user(actor.user_id or 0)):
        members = Member.objects.select_related("organisation").filter(user_id=actor.user_id)
        member = members.filter(organisation_id=organisation_id).first() if organisation_id else None
    if member is None:
        raise NotFound
    request.session[SESSION_KEY] = member.organisation_id
    messages.success(request, _("Switched to %(name)s.") % {"name": member.organisation.name})
    return redirect("home")


@require_safe
@login_required
def suspended(request: ActorRequest) -> HttpResponse:
    """Explain to members of a suspended organisation why the portal is closed."""
    return render(request, "suspended.html")
