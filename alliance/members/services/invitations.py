"""Invite people to an organisation. Nobody becomes a member without accepting.

An invitation is the same for an address with an account and for one without: nothing tells which it is.
"""

from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alliance import audit, locks, mails
from alliance.choices import Capability, InvitationState, OrganisationStatus, Role
from alliance.database.slices import delete_in_slices
from alliance.errors import Conflict, FieldError, Gone, InvalidInput, NotFound, NotPermitted, TooMany
from alliance.members.models import Invitation, Member, Organisation
from alliance.members.querysets import InvitationQuerySet
from alliance.tenancy import Actor, Scope, require, scope

VALID_FOR = timedelta(days=7)
_DAY = timedelta(days=1)
_SIGNER = signing.Signer(salt="alliance.invitation")


def invite_member(*, actor: Actor, email: str, role: Role | str, now: datetime | None = None) -> Invitation:
    """Invite an address to the actor's organisation by a mail with a link; an earlier invitation ends.

    Raises InvalidInput for a member's address or an unknown role, TooMany beyond the limits of a day.
    """
    require(actor, Capability.MANAGE_MEMBERS)
    organisation_id, address, moment = actor.tenant_id, email.strip().lower(), now or timezone.now()
    if actor.user_id is None:
        raise NotPermitted
    if role not in Role.values:
        raise InvalidInput(errors=[FieldError("/role", _("Choose a role."), "choice")])
    if Member.objects.filter(organisation_id=organisation_id, user__email=address).exists():
        message = _("This person is already a member. Change the role in the list.")
        raise InvalidInput(errors=[FieldError("/email", message, "member")])
    locks.wait_for(locks.Lock.INVITE_FOR_ORGANISATION, of=organisation_id)
    locks.wait_for(locks.Lock.INVITE_BY_USER, of=actor.user_id)
    # A user's invitations for other organisations count, too.
    with scope(Scope.everything()):
        is_mailed = _check_limits(actor, organisation_id, address, moment)
        Invitation.objects.filter(
            organisation_id=organisation_id, email=address, state=InvitationState.PENDING
        ).update(state=InvitationState.WITHDRAWN, decided_at=moment)
        invitation = Invitation.objects.create(
            organisation_id=organisation_id,
            email=address,
            role=role,
            invited_by_id=actor.user_id or 0,
            created_at=moment,
            expires_at=moment + VALID_FOR,
        )
        if is_mailed:
            _write_mail(invitation)
    _record(actor, "member.invited", invitation)
    return invitation


def withdraw_invitation(*, actor: Actor, invitation_id: int) -> Invitation:
    """Take an invitation back. A second call changes nothing; Conflict once it was answered."""
    require(actor, Capability.MANAGE_MEMBERS)
    invitation = (
        Invitation.objects.filter(organisation_id=actor.tenant_id, pk=invitation_id)
        .select_for_update(of=("self",))
        .first()
    )
    if invitation is None:
        raise NotFound
    if invitation.state == InvitationState.PENDING:
        _end(invitation, InvitationState.WITHDRAWN)
        _record(actor, "invitation.withdrawn", invitation)
    elif invitation.state != InvitationState.WITHDRAWN:
        raise Conflict(_("This invitation has already been answered."), code="answered")
    return invitation


def reinstate_invitation(*, actor: Actor, invitation_id: int, now: datetime | None = None) -> Invitation:
    """Let a withdrawn invitation wait again, with the link in its mail. A second call changes nothing.

    Raises NotFound once it has expired, and Conflict if the address was invited again or it was answered.
    """
    require(actor, Capability.MANAGE_MEMBERS)
    now = now or timezone.now()
    own = Invitation.objects.filter(organisation_id=actor.tenant_id)
    invitation: Invitation | None = (
        own.filter(pk=invitation_id, expires_at__gt=now).select_for_update(of=("self",)).first()
    )
    if invitation is None:
        raise NotFound
    if invitation.state == InvitationState.PENDING:
        return invitation
    if invitation.state != InvitationState.WITHDRAWN:
        raise Conflict(_("This invitation was answered already."), code="answered")
    locks.wait_for(locks.Lock.INVITE_FOR_ORGANISATION, of=actor.tenant_id)
    if own.filter(email=invitation.email, state=InvitationState.PENDING).exists():
        raise Conflict(_("This address was invited again by now."), code="invited")
    invitation.state, invitation.decided_at = InvitationState.PENDING, None
    invitation.save(update_fields=["state", "decided_at"])
    _record(actor, "invitation.reinstated", invitation)
    return invitation


def token_of(invitation: Invitation) -> str:
    """Return the secret of an invitation's link."""
    return _SIGNER.sign(str(invitation.pk))


def invitation_of_token(token: str, *, now: datetime | None = None) -> Invitation:
    """Return the invitation of a link. Raises NotFound for a wrong one, Gone if it is no longer open."""
    try:
        invitation_id = int(_SIGNER.unsign(token))
    except (signing.BadSignature, ValueError) as error:
        raise NotFound from error
    with scope(Scope.everything()):
        invitation = _with_names().filter(pk=invitation_id).first()
    if invitation is None or not _is_open(invitation, now or timezone.now()):
        raise Gone(_("This invitation was answered, withdrawn or has expired. Ask for a new one."))
    return invitation


def invitations_for(user_id: int, *, now: datetime | None = None) -> list[Invitation]:
    """Return the invitations that wait for a user: those to its confirmed addresses."""
    with scope(Scope.everything()):
        pending = Invitation.objects.pending(now or timezone.now()).filter(email__in=_addresses(user_id))
        waiting = pending.select_related("organisation", "invited_by")
        return [item for item in waiting.order_by("-created_at") if _is_welcome(item.organisation)]


def accept_invitation(*, actor: Actor, invitation_id: int, now: datetime | None = None) -> Member:
    """Make the acting user a member with the role of the invitation.

    Raises NotFound unless it was sent to a confirmed address of the user, Gone if it is no longer open,
    NotPermitted for staff. A second acceptance returns the member.
    """
    if actor.is_staff:
        raise NotPermitted(_("The alliance's staff cannot join a company."))
    user_id = actor.user_id or 0
    with scope(Scope.everything()):
        invitation = _lock_for(actor, invitation_id)
        member = Member.objects.filter(organisation_id=invitation.organisation_id, user_id=user_id).first()
        if member is not None and invitation.state == InvitationState.ACCEPTED:
            return member
        if not _is_open(invitation, now or timezone.now()):
            raise Gone(_("This invitation was answered, withdrawn or has expired. Ask for a new one."))
        if member is None:
            member = Member.objects.create(
                organisation_id=invitation.organisation_id, user_id=user_id or 0, role=invitation.role
            )
        _end(invitation, InvitationState.ACCEPTED)
        _record(actor, "member.joined", invitation)
    return member


def decline_invitation(*, actor: Actor, invitation_id: int) -> None:
    """Decline an invitation. A second call changes nothing; raises NotFound for those of others."""
    with scope(Scope.everything()):
        invitation = _lock_for(actor, invitation_id)
        if invitation.state == InvitationState.PENDING:
            _end(invitation, InvitationState.DECLINED)
            _record(actor, "invitation.declined", invitation)


def forget_old(*, before: datetime) -> int:
    """Delete invitations that expired before a moment; return how many."""
    # Their age has an index.
    expired = Invitation.objects.filter(created_at__lt=before - VALID_FOR)
    return delete_in_slices(expired, order="created_at")


def _with_names() -> InvitationQuerySet:
    return Invitation.objects.select_related("organisation", "invited_by")


def _addresses(user_id: int) -> list[str]:
    addresses = EmailAddress.objects.filter(user_id=user_id, verified=True).values_list("email", flat=True)
    return [address.lower() for address in addresses]


def _is_open(invitation: Invitation, now: datetime) -> bool:
    is_waiting = invitation.state == InvitationState.PENDING and invitation.expires_at > now
    return is_waiting and _is_welcome(invitation.organisation)


def _is_welcome(organisation: Organisation) -> bool:
    # Nobody should join a suspended organisation unawares.
    return organisation.status != OrganisationStatus.SUSPENDED


def _check_limits(actor: Actor, organisation_id: int, address: str, now: datetime) -> bool:
    """Raise TooMany beyond the limits of a day; return whether the address may get one more mail."""
    today = Invitation.objects.filter(created_at__gt=now - _DAY)
    for rows, limit in (
        (today.filter(organisation_id=organisation_id), settings.INVITATIONS_OF_ORGANISATION),
        (today.filter(invited_by_id=actor.user_id), settings.INVITATIONS_BY_USER),
    ):
        if rows.count() >= limit:
            message = ngettext(
                "%(n)d invitation a day is the limit. Try again tomorrow.",
                "%(n)d invitations a day are the limit. Try again tomorrow.",
                limit,
            )
            raise TooMany(message % {"n": limit}, code="too_many_invitations", retry_after=86_400)
    # Said to nobody: it would tell that others invited the same address.
    return today.filter(email=address).count() < settings.INVITATIONS_TO_ADDRESS


def _lock_for(actor: Actor, invitation_id: int) -> Invitation:
    addresses = _addresses(actor.user_id) if actor.user_id else []
    invitations = _with_names().filter(pk=invitation_id, email__in=addresses)
    invitation = invitations.select_for_update(of=("self",)).first()
    if invitation is None:
        raise NotFound
    return invitation


def _end(invitation: Invitation, state: InvitationState) -> None:
    invitation.state, invitation.decided_at = state, timezone.now()
    invitation.save(update_fields=["state", "decided_at"])


def _write_mail(invitation: Invitation) -> None:
    context = {
        "organisation": mails.without_links(invitation.organisation.name),
        "inviter": invitation.invited_by.email,
        "role": Role(invitation.role).label,
        "email": invitation.email,
        "valid_until": invitation.expires_at,
    }
    mails.write_mails(
        # The inviter's language: colleagues share it, and the address may have no account.
        to=[(invitation.email, translation.get_language() or "")],
        template="alliance/mail/invitation",
        context=context,
        path=reverse("invitation_show", args=[token_of(invitation)]),
    )


def _record(actor: Actor, verb: str, invitation: Invitation) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="invitation",
        object_id=invitation.pk,
        organisation_id=invitation.organisation_id,
        detail={"email": invitation.email, "role": str(invitation.role)},
    )
