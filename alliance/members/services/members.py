"""Change roles, remove members, and leave an organisation. They join by invitations."""

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability, Role
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.members.models import ApiKey, Member
from alliance.sandboxes import sandbox_of
from alliance.tenancy import Actor, Scope, require, scope


def change_role(*, actor: Actor, member_id: int, role: Role | str) -> Member:
    """Give a member another role; its API keys may no more than the role from then on.

    The same role again changes nothing. Raises InvalidInput for an unknown role, Conflict for the last owner.
    """
    require(actor, Capability.MANAGE_MEMBERS)
    if role not in Role.values:
        raise InvalidInput(errors=[FieldError("/role", _("Choose a role."), "choice")])
    member, owners = _lock(actor, member_id)
    if member.role != role:
        _keep_an_owner(member, owners)
        before, member.role = member.role, str(role)
        member.save(update_fields=["role"])
        _record(actor, "member.set", member, {"role": str(role), "before": before})
    return member


def remove_member(*, actor: Actor, member_id: int) -> list[ApiKey]:
    """Remove a member and revoke the API keys it created; return those keys.

    Raises Conflict for the last owner.
    """
    require(actor, Capability.MANAGE_MEMBERS)
    return _remove(actor, *_lock(actor, member_id), "member.removed")


def leave_organisation(*, actor: Actor, organisation_id: int) -> list[ApiKey]:
    """End the acting user's own membership, whatever its role; return the API keys that stop.

    Raises NotFound if it is no member, Conflict for the last owner.
    """
    # The user may be working for another organisation.
    with scope(Scope.everything()):
        own = Member.objects.filter(organisation_id=organisation_id, user_id=actor.user_id or 0).first()
        if own is None:
            raise NotFound
        return _remove(actor, *_lock(Actor.system("leave"), own.pk), "member.left")


def keys_of_member(member: Member) -> list[ApiKey]:
    """Return the live API keys that a member created for the organisation, or for its sandbox."""
    ids = (member.organisation_id, sandbox_of(member.organisation_id))
    # No scope but this one has both.
    with scope(Scope.everything()):
        keys = ApiKey.objects.live().filter(organisation_id__in=ids, created_by_id=member.user_id)
        return list(keys.order_by("name", "pk"))


def _lock(actor: Actor, member_id: int) -> tuple[Member, list[int]]:
    """Return a member, and the ids of its organisation's owners, all locked.

    Owners first and in order: two owners removing each other at once would leave none, or deadlock.
    """
    members = Member.objects.visible_to(actor).select_related("user").filter(pk=member_id)
    if (seen := members.first()) is None:
        raise NotFound
    owners = (
        Member.objects.select_for_update()
        .filter(organisation_id=seen.organisation_id, role=Role.OWNER)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    owner_ids = list(owners)
    member = members.select_for_update(of=("self",)).first()
    if member is None:
        raise NotFound
    return member, owner_ids


def _remove(actor: Actor, member: Member, owners: list[int], verb: str) -> list[ApiKey]:
    _keep_an_owner(member, owners)
    keys = keys_of_member(member)
    # Revoked, not only without effect: a key must not live again when the person comes back.
    with scope(Scope.everything()):
        ApiKey.objects.filter(pk__in=[key.pk for key in keys]).update(revoked_at=timezone.now())
    detail: dict[str, object] = {"email": member.user.email, "keys": [key.prefix for key in keys]}
    _record(actor, verb, member, detail)
    member.delete()
    return keys


def _record(actor: Actor, verb: str, member: Member, detail: dict[str, object]) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="member",
        object_id=member.pk,
        organisation_id=member.organisation_id,
        detail={"user_id": member.user_id, **detail},
    )


def _keep_an_owner(member: Member, owners: list[int]) -> None:
    if owners == [member.pk]:
        raise Conflict(
            _("An organisation needs at least one owner. Make another member the owner first."),
            code="last_owner",
        )
