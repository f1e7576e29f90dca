"""A user's own organisations and invitations: accept, decline, leave."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.errors import Conflict, NotFound
from alliance.members.services import invitations, members
from alliance.models import Member
from alliance.portal.members import report_stopped
from alliance.tenancy import Actor, Scope, scope
from alliance.web.form_owner import for_any_organisation
from alliance.web.middleware import SESSION_KEY
from alliance.web.requests import ActorRequest

# The link of an invitation, kept until a user has signed up.
INVITATION_KEY = "invitation"


@require_safe
@login_required
def membership_list(request: ActorRequest) -> HttpResponse:
    """List the user's organisations, and the invitations that wait for an answer."""
    return render(request, "alliance/membership_list.html", memberships_of(request.actor))


def memberships_of(actor: Actor) -> dict[str, object]:
    """Return the context of a user's organisations and invitations."""
    user_id = actor.user_id or 0
    with scope(Scope.user(user_id)):
        own = Member.objects.filter(user_id=user_id).select_related("organisation").order_by("created_at")
        return {"memberships": list(own), "invitations": invitations.invitations_for(user_id)}


@for_any_organisation
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def membership_leave(request: ActorRequest, organisation_id: int) -> HttpResponse:
    """Say what ends, and leave an organisation."""
    actor = request.actor
    with scope(Scope.user(actor.user_id or 0)):
        own = Member.objects.select_related("organisation").filter(user_id=actor.user_id)
        member = own.filter(organisation_id=organisation_id).first()
    if member is None:
        raise NotFound
    if request.method == "POST":
        try:
            stopped = members.leave_organisation(actor=actor, organisation_id=organisation_id)
        except Conflict as error:
            messages.error(request, error.detail)
            return redirect("membership_list")
        request.session.pop(SESSION_KEY, None)
        messages.success(request, _("You left %(name)s.") % {"name": member.organisation.name})
        report_stopped(request, stopped)
        return redirect("membership_list")
    with scope(Scope.everything()):
        keys = members.keys_of_member(member)
    return render(request, "alliance/membership_leave.html", {"member": member, "keys": keys})


@never_cache
@require_safe
def invitation_show(request: ActorRequest, token: str) -> HttpResponse:
    """Show the invitation of a mail's link: who invites to what, and how to accept it.

    Who is logged in with another address, or not at all, is told how to go on; the page is the same whether
    the address has an account or not.
    """
    invitation = invitations.invitation_of_token(token)
    request.session[INVITATION_KEY] = token
    actor = request.actor
    waiting = invitations.invitations_for(actor.user_id) if actor.user_id else []
    context = {
        "invitation": invitation,
        "may_accept": any(item.pk == invitation.pk for item in waiting),
        "is_staff": actor.is_staff,
    }
    return render(request, "alliance/invitation.html", context)


@for_any_organisation
@require_POST
@login_required
def invitation_answer(request: ActorRequest, invitation_id: int) -> HttpResponse:
    """Accept or decline an invitation."""
    request.session.pop(INVITATION_KEY, None)
    if request.POST.get("answer") == "accept":
        member = invitations.accept_invitation(actor=request.actor, invitation_id=invitation_id)
        request.session[SESSION_KEY] = member.organisation_id
        messages.success(request, _("Welcome. You are a member now."))
        return redirect("home")
    invitations.decline_invitation(actor=request.actor, invitation_id=invitation_id)
    messages.success(request, _("The invitation was declined."))
    return redirect("membership_list")


def invited_address(request: HttpRequest) -> str:
    """Return the address of the invitation whose link was opened in this session, if it is still open."""
    token = request.session.get(INVITATION_KEY)
    if not token:
        return ""
    try:
        return invitations.invitation_of_token(str(token)).email
    except NotFound:
        return ""
