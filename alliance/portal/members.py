"""Pages of an organisation's members and their roles."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from alliance.choices import Capability
from alliance.errors import Conflict, InvalidInput
from alliance.members.services import members
from alliance.models import Member
from alliance.portal.forms import MemberForm, add_service_errors
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def member_list(request: ActorRequest) -> HttpResponse:
    """List the members; add one or change a role."""
    actor = request.actor
    require(actor, Capability.MANAGE_MEMBERS)
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _add_member(actor, form):
        messages.success(request, _("%(email)s is now a member.") % form.cleaned_data)
        return redirect("member_list")
    # Not paginated: a page holds all members of a company.
    members = Member.objects.visible_to(actor).select_related("user").order_by("created_at")
    status = 422 if form.errors else 200
    return render(request, "alliance/member_list.html", {"form": form, "members": members}, status=status)


@require_POST
@login_required
def member_remove(request: ActorRequest, member_id: int) -> HttpResponse:
    """Remove a member."""
    try:
        members.remove_member(actor=request.actor, member_id=member_id)
        messages.success(request, _("The member was removed."))
    except Conflict as error:
        messages.error(request, error.detail)
    return redirect("member_list")


def _add_member(actor: Actor, form: MemberForm) -> bool:
    try:
        members.add_member(actor=actor, organisation_id=actor.organisation_id or 0, **form.cleaned_data)
    except InvalidInput as error:
        add_service_errors(form, error)
    except Conflict as error:
        form.add_error(None, error.detail)
    return form.is_valid()
