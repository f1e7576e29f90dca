"""Add and remove members of an organisation."""

from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability, Role
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.members.models import Member, User
from alliance.tenancy import (
    Actor,
    require,
)


def add_member(*, actor: Actor, organisation_id: int, email: str, role: Role | str) -> Member:
    """Give an existing user a role in the actor's organisation; of a member, change the role.

    Raises NotFound if no user has that address, InvalidInput for an unknown role.
    """
    require(actor, Capability.MANAGE_MEMBERS)
    if not actor.is_ops and actor.organisation_id != organisation_id:
        raise NotFound
    if role not in Role.values:
        raise InvalidInput(errors=[FieldError("/role", _("Choose a role."), "choice")])
    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is None:
        message = _("No account has this address yet. Ask the person to sign up first.")
        raise InvalidInput(errors=[FieldError("/email", message, "unknown")])
    member, _created = Member.objects.get_or_create(
        organisation_id=organisation_id, user=user, defaults={"role": role}
    )
    if member.role != role:
        _keep_an_owner(member)
        member.role = role
        member.save(update_fields=["role"])
    audit.record(
        actor=actor,
        verb="member.set",
        object_type="member",
        object_id=member.pk,
        organisation_id=organisation_id,
        detail={"email": user.email, "role": str(role)},
    )
    return member


def remove_member(*, actor: Actor, member_id: int) -> None:
    """Remove a member. Raises Conflict for the last owner."""
    require(actor, Capability.MANAGE_MEMBERS)
    member = Member.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    _keep_an_owner(member)
    member.delete()
    audit.record(
        actor=actor,
        verb="member.removed",
        object_type="member",
        object_id=member_id,
        organisation_id=member.organisation_id,
        detail={"user_id": member.user_id},
    )


def _keep_an_owner(member: Member) -> None:
    # Lock the owners: two owners removing each other concurrently would leave none.
    owners = list(
        Member.objects.select_for_update()
        .filter(organisation_id=member.organisation_id, role=Role.OWNER)
        .values_list("pk", flat=True)
    )
    if owners == [member.pk]:
        raise Conflict(_("An organisation needs at least one owner."), code="last_owner")
