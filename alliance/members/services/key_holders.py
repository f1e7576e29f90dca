"""Find out who calls with an API key, and note that it was used."""

import hmac
import re
from datetime import datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Any, Final, NamedTuple

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.choices import Capability, Role
from alliance.members.models import Organisation
from alliance.members.networks import is_within
from alliance.members.services.actors import actor_of_organisation
from alliance.members.services.api_keys import hash_secret
from alliance.members.sql import KEY_HOLDER
from alliance.sandboxes import is_sandbox
from alliance.tenancy import Actor, Refusal, Scope, rows_in, scope

KEY_FORMAT = re.compile(r"^ca_(test_)?([0-9a-z]{10})_([0-9A-Za-z_-]{43})$")
# How often last_used_at is updated: a write per call would make every key a hot row.
LAST_USED_EVERY = timedelta(minutes=1)
_MOST_USES: Final = 10_000


def actor_of_key(token: str, *, address: str = "", now: datetime | None = None) -> Actor | None:
    """Return the actor of an API key that is used from an address, or None when there is no such key.

    A key never may more than its creator may now; it stops when its creator is no member any more. The actor
    of one that ended, or is used from elsewhere, is anonymous and says why: whoever has the secret may know.
    """
    match = KEY_FORMAT.match(token)
    if match is None:
        return None
    test, prefix, secret = match.groups()
    # Every call runs this; not cached, because a revoked key must stop working at once.
    rows = rows_in(Scope.key(prefix), KEY_HOLDER.call, {"prefix": prefix})
    if not rows:
        return None
    key = _KeyHolder(*rows[0])
    if not hmac.compare_digest(key.secret_hash, hash_secret(secret)):
        return None
    # Whoever reads a key must be able to tell whether it is of live data.
    if bool(test) != is_sandbox(key.organisation_id):
        return None
    moment = now or timezone.now()
    if (refusal := _refusal(key, address, moment)) is not None:
        return Actor(refusal=refusal)
    if not (key.last_used_at and moment - key.last_used_at < LAST_USED_EVERY):
        note_use(key.id, moment, address)
    return _actor_of(
        api_key_id=key.id,
        label=f"key {key.name} ({prefix})",
        scopes=tuple(key.scopes),
        resources=None if key.resources is None else tuple(key.resources),
        organisation_id=key.organisation_id,
        organisation_kind=key.organisation_kind,
        organisation_status=key.organisation_status,
        # Keys that programs created have no creator, and no limit by one.
        role=str(key.creator_role if key.creator_id else Role.OWNER),
    )


@lru_cache(maxsize=10_000)
def _actor_of(
    *,
    api_key_id: int,
    label: str,
    scopes: tuple[str, ...],
    resources: tuple[str, ...] | None,
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
        scopes=None if resources is None else frozenset(resources),
    )


class _KeyHolder(NamedTuple):
    """A row of KEY_HOLDER."""

    id: int
    name: str
    secret_hash: str
    scopes: list[str]
    resources: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    networks: list[str] | None
    last_used_at: datetime | None
    creator_id: int | None
    organisation_id: int
    organisation_kind: str
    organisation_status: str
    creator_role: str | None


def _refusal(key: _KeyHolder, address: str, now: datetime) -> Refusal | None:
    if key.revoked_at is not None:
        text = _("This API key was revoked on %(moment)s. Create a new one.")
        return _refused(key, "key_revoked", text % {"moment": _moment(key.revoked_at)})
    if key.expires_at is not None and key.expires_at <= now:
        text = _("This API key expired on %(moment)s. Create a new one.")
        return _refused(key, "key_expired", text % {"moment": _moment(key.expires_at)})
    if key.creator_id and not key.creator_role:
        text = _("This API key stopped: whoever created it is no member any more. Create a new one.")
        return _refused(key, "key_stopped", text)
    if key.networks and not is_within(key.networks, address):
        text = _(
            "This API key may not be used from %(address)s: call from one of its addresses, or create a key"
            " that has this one."
        )
        return _refused(
            key, "address_not_allowed", text % {"address": address or _("an unknown address")}, is_known=True
        )
    return None


def _refused(key: _KeyHolder, code: str, detail: str, *, is_known: bool = False) -> Refusal:
    return Refusal(code, detail, key.id, key.organisation_id, is_known=is_known)


def _moment(at: datetime) -> str:
    """A moment for people and programs alike: with its year, as it may be long ago, and its offset."""
    return timezone.localtime(at).isoformat(" ", "minutes")


# --- last use: noted by each process, written in batches by a thread of its own ------------------------

_uses: dict[int, tuple[datetime, str]] = {}
_lock = Lock()
# In the order of ids, and past those that another process writes: no two of them wait for each other.
_WRITE_USES = """
    WITH used AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[], %(addresses)s::text[])
            AS u (id, at, address)
    ), due AS (
        SELECT k.id, u.at, u.address FROM alliance_apikey k JOIN used u ON u.id = k.id
        WHERE k.last_used_at IS NULL OR k.last_used_at <= u.at - %(every)s
        ORDER BY k.id FOR UPDATE OF k SKIP LOCKED
    )
    UPDATE alliance_apikey SET last_used_at = due.at, last_used_from = nullif(due.address, '')::inet
    FROM due WHERE alliance_apikey.id = due.id
"""


def note_use(api_key_id: int, at: datetime, address: str) -> None:
    """Remember that a key was used; `write_uses` writes it."""
    with _lock:
        if len(_uses) >= _MOST_USES:
            _uses.clear()
        _uses[api_key_id] = (at, address)


def write_uses() -> int:
    """Write when and where keys were used, as far as this process knows; return how many it wrote of.

    What cannot be written is forgotten: the next call notes it again.
    """
    with _lock:
        noted = dict(_uses)
        _uses.clear()
    if not noted:
        return 0
    used = noted.values()
    parameters: dict[str, Any] = {
        "ids": [*noted],
        "times": [at for at, _address in used],
        "addresses": [address for _at, address in used],
        "every": LAST_USED_EVERY,
    }
    with scope(Scope.everything()), connection.cursor() as cursor:
        cursor.execute(_WRITE_USES, parameters)
        return int(cursor.rowcount)
