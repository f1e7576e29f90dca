"""Checks of the organisations that an actor belongs to, and what its API keys may do."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import Permission
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alliance.capabilities import ROLE_CAPABILITIES, capabilities_of
from alliance.choices import Capability
from alliance.errors import NotPermitted
from alliance.key_scopes import scopes_within, words_of
from alliance.models import ApiKey, Member, User
from alliance.sandboxes import live_of
from alliance.tenancy import Actor
from alliance.test_mode import as_live
from alliance.wording import listed

# When the list says that a key ends: with the first mail about it.
ENDS_SOON: Final = timedelta(days=14)


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
        raise NotPermitted(
            gettext("You belong to this courier: another person must decide."), code="own_courier"
        )


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


class KeyState(models.TextChoices):
    """What becomes of a key's calls now."""

    LIVE = "live", _("Live")
    ENDING = "ending", _("Ends soon")
    ROTATED = "rotated", _("Rotated")
    STOPPED = "stopped", _("Stopped")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")


_ENDED: Final = (KeyState.STOPPED, KeyState.EXPIRED, KeyState.REVOKED)


def keys_of(actor: Actor, *, now: datetime | None = None) -> list[ApiKey]:
    """Return the keys of the actor's organisation, live ones first, with what each may do now.

    Sets `permissions_now` in words, `state`, and `is_stopped` for a live key whose creator is no member any
    more.
    """
    moment = now or timezone.now()
    keys = list(
        ApiKey.objects.filter(organisation_id=actor.tenant_id)
        .select_related("created_by")
        .order_by("-revoked_at", "-created_at")
    )
    # A sandbox has the members of its merchant.
    with as_live(actor):
        members = Member.objects.filter(organisation_id=live_of(actor.tenant_id)).active()
        roles = dict(members.values_list("user_id", "role"))
    for key in keys:
        role = roles.get(key.created_by_id, "")
        allowed = capabilities_of(kind=actor.organisation_kind, status=actor.organisation_status, role=role)
        key.is_stopped = key.created_by_id is not None and not role
        key.permissions_now = listed(_allowed_now(key, allowed))
        key.state = _state(key, moment, is_stopped=key.is_stopped)
    return sorted(keys, key=lambda key: key.state in _ENDED)


def _allowed_now(key: ApiKey, allowed: frozenset[Capability]) -> list[str]:
    """Return in words what a key may do that its creator may do now."""
    is_free = key.created_by_id is None
    if key.resources is None:
        return [str(Capability(scope).label) for scope in key.scopes if is_free or scope in allowed]
    within = set(scopes_within(allowed))
    return [words_of(scope) for scope in key.resources if is_free or scope in within]


def _state(key: ApiKey, now: datetime, *, is_stopped: bool) -> KeyState:
    if key.revoked_at is not None:
        return KeyState.REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return KeyState.EXPIRED
    if is_stopped:
        return KeyState.STOPPED
    if key.rotated_at is not None:
        return KeyState.ROTATED
    is_ending = key.expires_at is not None and key.expires_at - now <= ENDS_SOON
    return KeyState.ENDING if is_ending else KeyState.LIVE


def those_who_make_keys(organisation_id: int) -> list[tuple[str, str]]:
    """Return the addresses and languages of an organisation's people who may make keys, as for mails."""
    roles = [role for role, allowed in ROLE_CAPABILITIES.items() if Capability.MANAGE_KEYS in allowed]
    members = Member.objects.filter(organisation_id=live_of(organisation_id), role__in=roles).active()
    return list(members.order_by("pk").values_list("user__email", "user__language"))
