"""Create, revoke and look up API keys."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability, OrganisationKind, Role
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.members.models import ApiKey
from alliance.members.services.actors import actor_of_organisation
from alliance.tenancy import (
    KEY_SCOPES,
    Actor,
    Scope,
    require,
    rows_in,
    scope,
)
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
    with scope(Scope.key(prefix)):
        # Every call runs this; not cached, because a revoked key must stop working at once.
        key = next(iter(ApiKey.objects.live().filter(prefix=prefix).select_related("organisation")), None)
        if key is None or not hmac.compare_digest(key.secret_hash, hash_secret(secret)):
            return None
        _note_use(key, now or timezone.now())
    organisation = key.organisation
    actor = actor_of_organisation(
        organisation,
        kind="api_key",
        api_key_id=key.pk,
        label=f"key {key.name} ({key.prefix})",
        role=_role_of_creator(key),
        capabilities=frozenset(Capability(item) for item in key.scopes),
    )
    return actor if actor.role else None


def _role_of_creator(key: ApiKey) -> str:
    """Return the role that bounds a key: empty if its creator is no member any more."""
    if key.created_by_id is None:
        return Role.OWNER
    own = Scope.courier if key.organisation.kind == OrganisationKind.COURIER else Scope.merchant
    # One message to the database: outside a transaction it takes a single round trip.
    rows = rows_in(
        own(key.organisation_id),
        "SELECT m.role FROM alliance_member m JOIN alliance_user u ON u.id = m.user_id AND u.is_active"
        " WHERE m.organisation_id = %s AND m.user_id = %s",
        [key.organisation_id, key.created_by_id],
    )
    return str(rows[0][0]) if rows else ""


def _note_use(key: ApiKey, now: datetime) -> None:
    if key.last_used_at and now - key.last_used_at < LAST_USED_EVERY:
        return
    with connection.cursor() as cursor:
        # SKIP LOCKED: if many calls run at once, only one needs to update the time.
        cursor.execute(
            "UPDATE alliance_apikey SET last_used_at = %s WHERE id ="
            " (SELECT id FROM alliance_apikey WHERE id = %s FOR UPDATE SKIP LOCKED)",
            [now, key.pk],
        )
