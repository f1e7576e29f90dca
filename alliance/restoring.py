"""What has to be done once after the database was restored to an earlier moment, before anything serves it.

What was handed out between that moment and the disaster is outside: ids in links and mails, cookies of
log-ins. The restored database knows none of it, and would hand out the same ids again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db.models import Max
from redis.exceptions import RedisError

from alliance import audit
from alliance.choices import Capability
from alliance.database.owner import as_owner
from alliance.models import Heartbeat
from alliance.tenancy import Actor, Scope, raw_rows, require, scope

# Ids that are skipped at least. A sequence of 32 bits counts what nobody is told of, such as permissions.
LEAST_SKIPPED: Final = 1_000_000
LEAST_SKIPPED_OF_INTEGERS: Final = 1_000
# As many again as were ever handed out: more than in the time that is lost.
_SKIP = f"""
SELECT count(setval((quote_ident(schemaname) || '.' || quote_ident(sequencename))::regclass, least(
    value + greatest(value, CASE WHEN data_type = 'bigint'::regtype
        THEN {LEAST_SKIPPED} ELSE {LEAST_SKIPPED_OF_INTEGERS} END),
    value + (max_value - value) / 2)))
FROM (SELECT *, coalesce(last_value, 0) AS value FROM pg_sequences) AS s
WHERE schemaname = current_schema()
"""  # noqa: S608 -- built of constants


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. `reaches_to` is the last sign of life in the data: beat gives one every 15 seconds."""

    reaches_to: datetime | None
    sequences: int
    sessions: int
    is_cache_empty: bool


def finish_restore(*, actor: Actor) -> Restored:
    """Skip ids that may have been handed out, end all sessions, empty the cache with its queue of tasks.

    Needs the owner of the tables, and that nothing else runs. Done again, it skips as many ids again.
    """
    require(actor, Capability.OPERATE)
    with scope(Scope.everything()):
        reaches_to = Heartbeat.objects.aggregate(last=Max("at"))["last"]
    with as_owner():
        [(sequences,)] = raw_rows(_SKIP)
    with scope(Scope.everything()):
        # Log-outs, new passwords and suspensions since are forgotten: nobody stays logged in.
        sessions = Session.objects.all().delete()[0]
        UserSession.objects.all().delete()
        detail = {"reaches_to": reaches_to, "sequences": sequences, "sessions": sessions}
        audit.record(
            actor=actor,
            verb="database.restored",
            object_type="database",
            object_id="alliance",
            detail=detail,
        )
    return Restored(reaches_to, sequences, sessions, _empty_cache())


def _empty_cache() -> bool:
    """Forget sessions, counts and queued tasks; tasks are rows, which beat finds again."""
    try:
        cache.clear()
    except RedisError:
        return False
    return True
