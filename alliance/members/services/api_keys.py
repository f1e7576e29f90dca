"""Create, revoke and look up API keys."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.capabilities import KEY_SCOPES
from alliance.choices import Capability, Role
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.members.models import ApiKey, Organisation
from alliance.members.services.actors import actor_of_organisation
from alliance.members.sql import KEY_HOLDER
from alliance.tenancy import Actor, Scope, require, rows_in
from alliance.texts import one_line

KEY_FORMAT = re.compile(r"^ca_([0-9a-z]{10})_([0-9A-Za-z_-]{43})$")

NAME_LENGTH = 80
# How often last_used_at is updated: a write per call would make every key a hot row.
LAST_USED_EVERY = timedelta(minutes=5)


def create_api_key(*, actor: Actor, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
    """Create a key for the actor's organisation; return it with the secret, which is shown only now."""
    require(actor, Capability.MANAGE_KEYS)
    scope_names = sorted(set(scopes))
    allowed = KEY_SCOPES & actor.capabilities
    errors = []
    name = one_line(name)
    if not name:
        errors.append(FieldError("/name", _("Enter the name of the program that uses the key."), "required"))
    elif len(name) > NAME_LENGTH:
        errors.append(FieldError("/name", _("Use at most %d characters.") % NAME_LENGTH, "max_length"))
    if not scope_names or not set(scope_names) <= {str(item) for item in allowed}:
        errors.append(FieldError("/scopes", _("Choose permissions within your own role."), "choice"))
    if errors:
        raise InvalidInput(errors=errors)
    prefix = "".join(secrets.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _i in range(10))
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        organisation_id=actor.tenant_id,
        name=name,
        prefix=prefix,
        secret_hash=hash_secret(secret),
        scopes=scope_names,
        created_by_id=actor.user_id,
    )
    audit.record(
        actor=actor,
        verb="api_key.created",
        object_type="api_key",
        object_id=key.pk,
        detail={"scopes": scope_names},
    )
    return key, f"ca_{prefix}_{secret}"


def revoke_api_key(*, actor: Actor, api_key_id: int, now: datetime | None = None) -> ApiKey:
    """Revoke a key permanently. Revoking it again changes nothing."""
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
    # 256 random bits cannot be guessed, so they need no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()


def actor_of_key(token: str, *, now: datetime | None = None) -> Actor | None:
    """Return the actor of an API key, or None when there is no such live key.

    A key never may more than its creator may now; it stops when its creator is no member any more.
    """
    match = KEY_FORMAT.match(token)
    if match is None:
        return None
    prefix, secret = match.groups()
    # Every call runs this; not cached, because a revoked key must stop working at once.
    rows = rows_in(Scope.key(prefix), KEY_HOLDER.call, {"prefix": prefix})
    if not rows:
        return None
    key = _KeyHolder(*rows[0])
    if not hmac.compare_digest(key.secret_hash, hash_secret(secret)):
        return None
    # Keys that programs created have no creator, and no limit by one.
    role = key.creator_role if key.creator_id else Role.OWNER
    if not role:
        return None
    _note_use(key, prefix, now or timezone.now())
    return _actor_of(
        api_key_id=key.id,
        label=f"key {key.name} ({prefix})",
        scopes=tuple(key.scopes),
        organisation_id=key.organisation_id,
        organisation_kind=key.organisation_kind,
        organisation_status=key.organisation_status,
        role=role,
    )


@lru_cache(maxsize=10_000)
def _actor_of(
    *,
    api_key_id: int,
    label: str,
    scopes: tuple[str, ...],
    organisation_id: int,
    organisation_kind: str,
    organisation_status: str,
    role: str,
) -> Actor:
    """Return the actor of what has just been read of a key: most keys are as they were at their last call."""
    return actor_of_organisation(
        Organisation(pk=organisation_id, kind=organisation_kind, status=organisation_status),
        kind="api_key",
        api_key_id=api_key_id,
        label=label,
        role=role,
        capabilities=frozenset(map(Capability, scopes)),
    )


class _KeyHolder(NamedTuple):
    """A row of KEY_HOLDER."""

    id: int
    name: str
    secret_hash: str
    scopes: list[str]
    last_used_at: datetime | None
    creator_id: int | None
    organisation_id: int
    organisation_kind: str
    organisation_status: str
    creator_role: str | None


def _note_use(key: _KeyHolder, prefix: str, now: datetime) -> None:
    if key.last_used_at and now - key.last_used_at < LAST_USED_EVERY:
        return
    # SKIP LOCKED: if many calls run at once, only one needs to update the time.
    rows_in(
        Scope.key(prefix),
        "UPDATE alliance_apikey SET last_used_at = %s WHERE id ="
        " (SELECT id FROM alliance_apikey WHERE id = %s FOR UPDATE SKIP LOCKED)",
        [now, key.id],
    )
