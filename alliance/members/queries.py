"""Checks of the organisations that an actor belongs to, and what its API keys may do."""

from collections.abc import Iterable

from django.contrib.auth.models import Permission
from django.db.models import Q
from django.utils.translation import gettext as _

from alliance.capabilities import capabilities_of
from alliance.choices import Capability
from alliance.errors import NotPermitted
from alliance.models import ApiKey, Member, User
from alliance.tenancy import Actor
from alliance.wording import listed


def own_couriers(actor: Actor, courier_ids: Iterable[int]) -> set[int]:
    """Return those of the couriers that the actor belongs to: none may judge its own lateness."""
    couriers = set(courier_ids)
    own = {actor.organisation_id}
    if actor.user_id is not None:
        members = Member.objects.filter(user_id=actor.user_id, organisation_id__in=couriers)
        own |= set(members.values_list("organisation_id", flat=True))
    return {courier_id for courier_id in couriers if courier_id in own}


def refuse_own(actor: Actor, courier_ids: Iterable[int]) -> None:
    """Raise NotPermitted if the actor belongs to one of the couriers."""
    if own_couriers(actor, courier_ids):
        raise NotPermitted(_("You belong to this courier: another person must decide."), code="own_courier")


def staff_who_may(permission: str) -> list[tuple[str, str]]:
    """Return the addresses and languages of active staff with a permission, as for mails."""
    app, _dot, codename = permission.partition(".")
    granted = Permission.objects.filter(content_type__app_label=app, codename=codename)
    staff = User.objects.filter(
        Q(is_superuser=True) | Q(groups__permissions__in=granted) | Q(user_permissions__in=granted),
        is_staff=True,
        is_active=True,
    )
    return list(staff.distinct().values_list("email", "language"))


def keys_of(actor: Actor) -> list[ApiKey]:
    """Return the keys of the actor's organisation, live ones first, with what each may do now.

    Sets `permissions_now` in words, and `is_stopped` for a live key whose creator is no member any more.
    """
    keys = list(
        ApiKey.objects.filter(organisation_id=actor.tenant_id)
        .select_related("created_by")
        .order_by("-revoked_at", "-created_at")
    )
    members = Member.objects.filter(organisation_id=actor.tenant_id).active()
    roles = dict(members.values_list("user_id", "role"))
    for key in keys:
        role = roles.get(key.created_by_id, "")
        allowed = capabilities_of(kind=actor.organisation_kind, status=actor.organisation_status, role=role)
        scopes = [scope for scope in key.scopes if key.created_by_id is None or scope in allowed]
        key.is_stopped = key.created_by_id is not None and not role
        key.permissions_now = listed(str(Capability(scope).label) for scope in scopes)
    return keys
