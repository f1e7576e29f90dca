"""Create, rotate and revoke API keys."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.capabilities import KEY_SCOPES
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.key_scopes import capabilities_of_scopes, scopes_within
from alliance.members.models import ApiKey
from alliance.members.networks import networks_of
from alliance.tenancy import Actor, require
from alliance.texts import one_line

NAME_LENGTH = 80
LIFETIME_DAYS: Final = 90
MOST_DAYS: Final = 730
# How long a rotated key goes on working beside the one that takes its place.
GRACE: Final = timedelta(hours=24)


def create_api_key(
    *,
    actor: Actor,
    name: str,
    scopes: Iterable[str] = (),
    resources: Iterable[str] | None = None,
    days: int | None = LIFETIME_DAYS,
    networks: str = "",
    now: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key for the actor's organisation; return it with the secret, which is shown only now.

    `resources` are scopes of `alliance.key_scopes`; `scopes` are capabilities, for a key that may do all they
    allow. `days` is its lifetime: None for ever. `networks` is what somebody typed.
    """
    require(actor, Capability.MANAGE_KEYS)
    moment = now or timezone.now()
    chosen = None if resources is None else sorted(set(resources))
    capabilities = set(map(str, scopes if chosen is None else capabilities_of_scopes(chosen) & KEY_SCOPES))
    errors = [*_name_errors(name), *_scope_errors(actor, chosen, capabilities)]
    if days is not None and not 1 <= days <= MOST_DAYS:
        errors.append(FieldError("/days", _("Choose 1 to %d days.") % MOST_DAYS, "range"))
    allowed, refused = networks_of(networks)
    errors += [FieldError("/networks", text, "address") for text in refused]
    if errors:
        raise InvalidInput(errors=errors)
    return _issue(
        actor,
        ApiKey(
            name=one_line(name),
            scopes=sorted(capabilities & set(map(str, actor.capabilities))),
            resources=chosen,
            networks=allowed or None,
            created_at=moment,
            expires_at=None if days is None else moment + timedelta(days=days),
        ),
        verb="api_key.created",
    )


def rotate_api_key(*, actor: Actor, api_key_id: int, now: datetime | None = None) -> tuple[ApiKey, str]:
    """Create a key like another one, which ends a day later; return it with its secret.

    It lives as long as the other one was to live. Raises Conflict for a key that has ended, or was rotated.
    """
    require(actor, Capability.MANAGE_KEYS)
    moment = now or timezone.now()
    key = _locked(actor, api_key_id)
    if key.rotated_at is not None:
        raise Conflict(_("This key was rotated already: the new one is in the list."), code="rotated")
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= moment):
        raise Conflict(_("This key has ended. Create a new one."), code="key_ended")
    lifetime = key.expires_at - key.created_at if key.expires_at else None
    new, token = _issue(
        actor,
        ApiKey(
            name=key.name,
            scopes=key.scopes,
            resources=key.resources,
            networks=key.networks,
            created_at=moment,
            expires_at=moment + lifetime if lifetime else None,
        ),
        verb="api_key.rotated",
        replaces=key.pk,
    )
    end = moment + GRACE
    key.rotated_at = moment
    key.expires_at = min(key.expires_at, end) if key.expires_at else end
    key.save(update_fields=["rotated_at", "expires_at"])
    return new, token


def revoke_api_key(*, actor: Actor, api_key_id: int, now: datetime | None = None) -> ApiKey:
    """Revoke a key permanently. Revoking it again changes nothing."""
    require(actor, Capability.MANAGE_KEYS)
    key = _locked(actor, api_key_id)
    if key.revoked_at is None:
        key.revoked_at = now or timezone.now()
        key.save(update_fields=["revoked_at"])
        audit.record(actor=actor, verb="api_key.revoked", object_type="api_key", object_id=key.pk)
    return key


def hash_secret(secret: str) -> str:
    # 256 random bits cannot be guessed, so they need no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()


def _locked(actor: Actor, api_key_id: int) -> ApiKey:
    key: ApiKey | None = ApiKey.objects.visible_to(actor).select_for_update().filter(pk=api_key_id).first()
    if key is None:
        raise NotFound
    return key


def _issue(actor: Actor, key: ApiKey, *, verb: str, **detail: object) -> tuple[ApiKey, str]:
    key.prefix = "".join(secrets.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _i in range(10))
    secret = secrets.token_urlsafe(32)
    key.organisation_id, key.created_by_id = actor.tenant_id, actor.user_id
    key.secret_hash = hash_secret(secret)
    key.save(force_insert=True)
    audit.record(
        actor=actor,
        verb=verb,
        object_type="api_key",
        object_id=key.pk,
        detail={"scopes": key.scopes if key.resources is None else key.resources, **detail},
    )
    return key, f"{key.beginning}_{secret}"


def _name_errors(name: str) -> list[FieldError]:
    name = one_line(name)
    if not name:
        text = _("Enter the name of the program that uses the key.")
        return [FieldError("/name", text, "required")]
    if len(name) > NAME_LENGTH:
        return [FieldError("/name", _("Use at most %d characters.") % NAME_LENGTH, "max_length")]
    return []


def _scope_errors(actor: Actor, chosen: list[str] | None, capabilities: set[str]) -> list[FieldError]:
    if chosen is None:
        given, allowed = capabilities, set(map(str, KEY_SCOPES & actor.capabilities))
    else:
        given, allowed = set(chosen), set(scopes_within(actor.capabilities))
    if given and given <= allowed:
        return []
    field = "/scopes" if chosen is None else "/resources"
    return [FieldError(field, _("Choose permissions within your own role."), "choice")]
