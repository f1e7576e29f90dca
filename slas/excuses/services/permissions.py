"""The permission to decide on excuses, and the lock that every decision is made under."""

from collections.abc import Iterable, Sized
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext as _

from alliance import audit
from alliance.database.at_home import rows_by_shard
from alliance.database.literals import texts
from alliance.errors import FieldError, InvalidInput, NotPermitted
from alliance.models import User
from alliance.tenancy import Actor
from slas.choices import ExcuseReason
from slas.commitments.rules import BREACHES
from slas.commitments.sql_settling import HOLD

PERMISSION: Final = "slas.decide_excuse"
# The group that has the permission, besides superusers; created by a migration.
CUSTOMER_SERVICE: Final = "Customer service"
# A typhoon over the largest province affects fewer; keys and ids of a decision are held in memory.
MOST_AT_ONCE: Final = 100_000
MOST_TEXT: Final = 2_000
Key = tuple[int, str]
# An excuse's parcel and its own id.
ExcuseKey = tuple[int, int]


class Locked(NamedTuple):
    """The fields a decision reads from a commitment it has locked."""

    merchant_id: int
    courier_id: int
    # Whether there is a breach to excuse.
    stands: bool


def may_decide(actor: Actor) -> bool:
    """Whether an actor may decide on excuses: superusers, customer service, and the system itself."""
    if not actor.is_ops:
        return False
    if actor.user_id is None:
        return actor.kind == "system"
    user = User.objects.filter(pk=actor.user_id).first()
    return user is not None and user.has_perm(PERMISSION)


def require_decider(actor: Actor) -> None:
    if not may_decide(actor):
        raise NotPermitted(_("Only customer service can decide on exemptions."), code="no_decider")


def lock_commitments(keys: Iterable[Key]) -> dict[Key, Locked]:
    """Lock commitments in the order that all writers lock in, and read them; unknown keys are left out.

    Commitments, not breaches or excuses: a late-arriving scan withdraws breaches under the same lock, and one
    of the two must see the other.
    """
    unique_keys = sorted(set(keys))
    if not unique_keys:
        return {}
    parcels = [parcel_id for parcel_id, _kind in unique_keys]
    rows = rows_by_shard(HOLD, parcels, {"kind": ([kind for _parcel_id, kind in unique_keys], texts)})
    return {
        (parcel_id, kind): Locked(merchant_id, courier_id, outcome in BREACHES)
        for parcel_id, kind, merchant_id, courier_id, outcome in rows
    }


def read_reason(reason: ExcuseReason | str) -> ExcuseReason:
    """Return the reason. Raises InvalidInput for an unknown one."""
    if reason not in ExcuseReason.values:
        raise InvalidInput(errors=[FieldError("/reason", _("Choose a reason."), "choice")])
    return ExcuseReason(reason)


def read_text(text: str, *, field: str = "note", required: bool = False) -> str:
    """Return a text, trimmed. Raises InvalidInput if it is too long, or empty though required."""
    message, code, trimmed = "", "", text.strip()
    if required and not trimmed:
        message, code = _("Enter a reason: both parties read it."), "required"
    elif len(trimmed) > MOST_TEXT:
        message, code = _("Enter at most %(most)d characters.") % {"most": MOST_TEXT}, "max_length"
    elif "\0" in trimmed:
        message, code = _("The text contains a character that cannot be stored."), "invalid"
    if message:
        raise InvalidInput(errors=[FieldError(f"/{field}", message, code)])
    return trimmed


def require_few(keys: Sized) -> None:
    """Raise InvalidInput for more than can be decided at once."""
    if len(keys) > MOST_AT_ONCE:
        message = _("Decide on at most %(most)d at once.") % {"most": MOST_AT_ONCE}
        raise InvalidInput(message, errors=[FieldError("/keys", message, "max_length")])


def record_decision(
    actor: Actor, verb: str, courier_ids: Iterable[int], *, at: datetime, **detail: Any
) -> None:
    """Write one audit entry per courier concerned; each excuse itself names who decided on it."""
    for courier_id in sorted(set(courier_ids)):
        audit.record(
            actor=actor,
            verb=verb,
            object_type="courier",
            object_id=courier_id,
            organisation_id=courier_id,
            detail={"at": at, **detail},
        )
