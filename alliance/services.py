"""Writes of the kernel: organisations, members, API keys."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability, OrganisationKind, OrganisationStatus, Role
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.models import ApiKey, Member, Organisation, User
from alliance.registry import Registry
from alliance.tenancy import (
    DESK_CAPABILITIES,
    KEY_SCOPES,
    Actor,
    Scope,
    capabilities_of,
    require,
    scope,
)

KEY_FORMAT = re.compile(r"^ca_([0-9a-z]{10})_([0-9A-Za-z_-]{43})$")
# How fresh last_used_at is kept: a write a call would make every key a hot row.
LAST_USED_EVERY = timedelta(minutes=5)

# Kind of organisation -> what creates its own record. The app that owns the record registers it: the kernel
# knows the kind, not the record.
RECORD_CREATORS: Final[Registry[str, Callable[[Organisation], None]]] = Registry("creator of records")


def create_organisation(
    *, actor: Actor, kind: OrganisationKind | str, name: str, status: OrganisationStatus | str | None = None
) -> Organisation:
    """Create an organisation owned by the acting user.

    A merchant is active at once; a courier is an applicant until ops approve it.
    Raises InvalidInput for an empty name, NotPermitted for anonymous actors and for operators
    created by anybody but ops.
    """
    if actor.is_anonymous or (kind == OrganisationKind.OPERATOR and not actor.can(Capability.OPERATE)):
        raise NotPermitted
    name = " ".join(name.split())
    if not name:
        raise InvalidInput(errors=[FieldError("/name", _("Give the company's name."), "required")])
    default = OrganisationStatus.APPLICANT if kind == OrganisationKind.COURIER else OrganisationStatus.ACTIVE
    # Nobody is a member yet, so no tenant's scope could write this.
    with scope(Scope.everything()):
        organisation = Organisation.objects.create(
            kind=kind, status=status or default, name=name, slug=free_slug(name)
        )
        if create_record := RECORD_CREATORS.get(str(kind)):
            create_record(organisation)
        if actor.user_id:
            Member.objects.create(organisation=organisation, user_id=actor.user_id, role=Role.OWNER)
        audit.record(
            actor=actor,
            verb="organisation.created",
            object_type="organisation",
            object_id=organisation.pk,
            organisation_id=organisation.pk,
            detail={"kind": str(kind), "name": name},
        )
    return organisation


def free_slug(name: str) -> str:
    """Return a short name for an organisation that no other has."""
    base = slugify(name, allow_unicode=True)[:70] or "organisation"
    slug, number = base, 1
    while Organisation.objects.filter(slug=slug).exists():
        number += 1
        slug = f"{base}-{number}"
    return slug


def add_member(*, actor: Actor, organisation_id: int, email: str, role: Role | str) -> Member:
    """Give an existing user a role in the actor's organisation; again changes the role.

    Raises NotFound when nobody has signed up with that address, InvalidInput for an unknown role.
    """
    require(actor, Capability.MANAGE_MEMBERS)
    if not actor.is_ops and actor.organisation_id != organisation_id:
        raise NotFound
    if role not in Role.values:
        raise InvalidInput(errors=[FieldError("/role", _("Choose one of the roles."), "choice")])
    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is None:
        message = _("Nobody has signed up with this address yet. Ask them to sign up first.")
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
    """Take a user's role away. Raises Conflict for the last owner."""
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
    # Lock the owners: two that remove each other at once would leave none.
    owners = list(
        Member.objects.select_for_update()
        .filter(organisation_id=member.organisation_id, role=Role.OWNER)
        .values_list("pk", flat=True)
    )
    if owners == [member.pk]:
        raise Conflict(_("An organisation keeps at least one owner."), code="last_owner")


def create_api_key(*, actor: Actor, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
    """Create a key for the actor's organisation; return it with the secret, shown this once."""
    require(actor, Capability.MANAGE_KEYS)
    wanted = sorted(set(scopes))
    allowed = KEY_SCOPES & actor.capabilities
    errors = []
    if not name.strip():
        errors.append(FieldError("/name", _("Name the program that will use the key."), "required"))
    if not wanted or not set(wanted) <= {str(item) for item in allowed}:
        errors.append(FieldError("/scopes", _("Choose what the key may do, within your own role."), "choice"))
    if errors:
        raise InvalidInput(errors=errors)
    prefix = "".join(secrets.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _i in range(10))
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        organisation_id=actor.tenant_id,
        name=name.strip()[:80],
        prefix=prefix,
        secret_hash=hash_secret(secret),
        scopes=wanted,
        created_by_id=actor.user_id,
    )
    audit.record(
        actor=actor,
        verb="api_key.created",
        object_type="api_key",
        object_id=key.pk,
        detail={"scopes": wanted},
    )
    return key, f"ca_{prefix}_{secret}"


def revoke_api_key(*, actor: Actor, api_key_id: int, now: datetime | None = None) -> ApiKey:
    """Revoke a key for good. Revoking again changes nothing."""
    require(actor, Capability.MANAGE_KEYS)
    key = ApiKey.objects.visible_to(actor).select_for_update().filter(pk=api_key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = now or timezone.now()
        key.save(update_fields=["revoked_at"])
        audit.record(actor=actor, verb="api_key.revoked", object_type="api_key", object_id=key.pk)
    return key


def hash_secret(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def actor_of_key(token: str, *, now: datetime | None = None) -> Actor | None:
    """Return the actor of an API key, or None when there is no such live key."""
    match = KEY_FORMAT.match(token)
    if match is None:
        return None
    prefix, secret = match.groups()
    with scope(Scope.key(prefix)):
        # One query, as every call pays for it; and each call does, as a key revoked is revoked at once.
        key = next(iter(ApiKey.objects.live().filter(prefix=prefix).select_related("organisation")), None)
        if key is None or not hmac.compare_digest(key.secret_hash, hash_secret(secret)):
            return None
        _note_use(key, now or timezone.now())
    return actor_of_organisation(
        key.organisation,
        kind="api_key",
        api_key_id=key.pk,
        label=f"key {key.name} ({key.prefix})",
        capabilities=frozenset(Capability(item) for item in key.scopes),
    )


def actor_of_user(user: User, *, organisation_id: int | None = None) -> Actor:
    """Return the actor of a logged-in user in the organisation chosen, else in the first joined."""
    if user.is_staff:
        runs_everything = user.is_superuser or not user.groups.exists()
        allowed = frozenset(Capability) if runs_everything else DESK_CAPABILITIES
        return Actor(kind="user", user_id=user.pk, is_ops=True, capabilities=allowed, label=user.email)
    with scope(Scope.user(user.pk)):
        memberships = list(
            Member.objects.filter(user_id=user.pk).select_related("organisation").order_by("created_at", "pk")
        )
    chosen = next((m for m in memberships if m.organisation_id == organisation_id), None)
    member = chosen or next(iter(memberships), None)
    if member is None:
        return Actor(kind="user", user_id=user.pk, label=user.email)
    return actor_of_organisation(
        member.organisation, kind="user", user_id=user.pk, role=member.role, label=user.email
    )


def actor_of_organisation(organisation: Organisation, **given: object) -> Actor:
    """Return an actor of an organisation with what its kind, status and role (or key) allow."""
    role = str(given.get("role") or Role.OWNER)
    allowed = capabilities_of(kind=organisation.kind, status=organisation.status, role=role)
    scopes = given.pop("capabilities", None)
    return Actor(
        organisation_id=organisation.pk,
        organisation_kind=organisation.kind,
        organisation_status=organisation.status,
        capabilities=allowed & scopes if isinstance(scopes, frozenset) else allowed,
        **given,  # type: ignore[arg-type]
    )


def worker_of_organisation(organisation_id: int, *, label: str) -> Actor:
    """Return the actor of a task that works for an organisation: with what it may do now, and no more."""
    with scope(Scope.everything()):
        organisation = Organisation.objects.get(pk=organisation_id)
    return actor_of_organisation(organisation, kind="system", label=label)


def _note_use(key: ApiKey, now: datetime) -> None:
    if key.last_used_at and now - key.last_used_at < LAST_USED_EVERY:
        return
    with connection.cursor() as cursor:
        # Skip rather than wait: of many calls at once, one that notes the time is enough.
        cursor.execute(
            "UPDATE alliance_apikey SET last_used_at = %s WHERE id ="
            " (SELECT id FROM alliance_apikey WHERE id = %s FOR UPDATE SKIP LOCKED)",
            [now, key.pk],
        )
