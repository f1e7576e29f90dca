"""Pages of an organisation's members: roles, removal, and invitations that wait."""

from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from alliance.choices import Capability, InvitationState
from alliance.cursors import Order, moment, number, word
from alliance.database.written_once import WrittenOnce
from alliance.errors import Conflict, InvalidInput, NotFound, TooMany
from alliance.members.services import invitations, members
from alliance.models import ApiKey, Invitation, Member
from alliance.portal.forms import InvitationForm, RoleForm, add_service_errors
from alliance.portal.paging import Listing, Sort
from alliance.portal.undo import offer_undo
from alliance.tenancy import Actor, require_member
from alliance.web.requests import ActorRequest
from alliance.wording import listed

LIST: Final = Listing(
    "members",
    {
        "since": Sort(gettext_lazy("Since"), Order((("created_at", moment), ("pk", number))), True),
        "person": Sort(gettext_lazy("Person"), Order((("user__name", word), ("user__email", word))), True),
    },
)


_MEMBERS: Final = WrittenOnce(
    lambda organisation_id: Member.objects.filter(organisation_id=organisation_id).select_related("user")
)
_INVITATIONS: Final = WrittenOnce(
    lambda organisation_id: (
        Invitation.objects.filter(organisation_id=organisation_id)
        .filter(state=InvitationState.PENDING)
        .select_related("invited_by")
        .order_by("-created_at")
    )
)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def member_list(request: ActorRequest) -> HttpResponse:
    """List the members and the invitations that wait; invite an address."""
    actor = request.actor
    require_member(actor, Capability.MANAGE_MEMBERS)
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _invite(actor, form):
        # One sentence for addresses with and without an account.
        text = _("An invitation was sent to %(email)s. It is valid for 7 days.")
        messages.success(request, text % form.cleaned_data)
        return redirect("member_list")
    # Not paginated: a page holds all members of a company.
    asked, now = LIST.asked(request), timezone.now()
    context = {
        "form": form,
        "members": asked.in_order(_MEMBERS.rows(actor.tenant_id)),
        "sorting": asked,
        "invitations": [each for each in _INVITATIONS.rows(actor.tenant_id) if each.expires_at > now],
    }
    status = 422 if form.errors or asked.is_refused else 200
    return render(request, "alliance/member_list.html", context, status=status)


def _invite(actor: Actor, form: InvitationForm) -> bool:
    try:
        invitations.invite_member(actor=actor, **form.cleaned_data)
    except InvalidInput as error:
        add_service_errors(form, error)
    except TooMany as error:
        form.add_error(None, error.detail)
    return form.is_valid()


@require_POST
@login_required
def invitation_withdraw(request: ActorRequest, invitation_id: int) -> HttpResponse:
    """Take an invitation back."""
    require_member(request.actor, Capability.MANAGE_MEMBERS)
    try:
        invitation = invitations.withdraw_invitation(actor=request.actor, invitation_id=invitation_id)
        text = _("The invitation of %(email)s was withdrawn.") % vars(invitation)
        offer_undo(request, text, "invitation_reinstate", invitation.pk)
    except Conflict as error:
        messages.error(request, error.detail)
    return redirect("member_list")


@require_POST
@login_required
def invitation_reinstate(request: ActorRequest, invitation_id: int) -> HttpResponse:
    """Let a withdrawn invitation wait again."""
    require_member(request.actor, Capability.MANAGE_MEMBERS)
    try:
        invitation = invitations.reinstate_invitation(actor=request.actor, invitation_id=invitation_id)
        messages.success(request, _("The invitation of %(email)s is valid again.") % vars(invitation))
    except Conflict as error:
        messages.error(request, error.detail)
    return redirect("member_list")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def member_edit(request: ActorRequest, member_id: int) -> HttpResponse:
    """Change a member's role."""
    member = _member(request.actor, member_id, lock=request.method == "POST")
    form = RoleForm(request.POST if request.method == "POST" else None, current={"role": member.role})
    if request.method == "POST" and form.is_valid():
        try:
            members.change_role(actor=request.actor, member_id=member.pk, role=form.cleaned_data["role"])
            messages.success(request, _("The role was changed."))
            return redirect("member_list")
        except Conflict as error:
            form.add_error(None, error.detail)
    context = {"form": form, "member": member, "keys": members.keys_of_member(member)}
    return render(request, "alliance/member_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def member_remove(request: ActorRequest, member_id: int) -> HttpResponse:
    """Say which keys stop with a member, and remove it."""
    member = _member(request.actor, member_id)
    if request.method == "POST":
        try:
            stopped = members.remove_member(actor=request.actor, member_id=member.pk)
            messages.success(request, _("The member was removed."))
            report_stopped(request, stopped)
        except Conflict as error:
            messages.error(request, error.detail)
        return redirect("member_list")
    context = {"member": member, "keys": members.keys_of_member(member)}
    return render(request, "alliance/member_remove.html", context)


def report_stopped(request: ActorRequest, keys: list[ApiKey]) -> None:
    """Tell which API keys stopped with a member."""
    if keys:
        text = ngettext("%(n)d API key stopped: %(names)s.", "%(n)d API keys stopped: %(names)s.", len(keys))
        names = listed(key.name for key in keys)
        messages.warning(request, text % {"n": len(keys), "names": names})


def _member(actor: Actor, member_id: int, *, lock: bool = False) -> Member:
    require_member(actor, Capability.MANAGE_MEMBERS)
    members = Member.objects.filter(organisation_id=actor.tenant_id, pk=member_id).select_related("user")
    if lock:
        members = members.select_for_update(of=("self",), no_key=True)
    member: Member | None = members.first()
    if member is None:
        raise NotFound
    return member
