"""Write audit entries: who changed what, and when."""

import json
from typing import Any

import structlog
from django.db import connection
from django.utils import timezone

from alliance.database.postgresql.messages import Unanswered
from alliance.tenancy import Actor, raw_rows

# One look into the index a verb: there are few verbs, and many entries.
_VERBS = """
WITH RECURSIVE v AS (
    (SELECT min(verb) AS verb FROM alliance_auditentry)
    UNION ALL SELECT (SELECT min(verb) FROM alliance_auditentry WHERE verb > v.verb) FROM v
    WHERE v.verb IS NOT NULL
)
SELECT verb FROM v WHERE verb IS NOT NULL
"""


def record(
    *,
    actor: Actor,
    verb: str,
    object_type: str,
    object_id: int | str,
    organisation_id: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one audit entry in the current transaction.

    `organisation_id` is the tenant that the change concerns, if it is not the actor's own.
    """
    context = structlog.contextvars.get_contextvars()
    # No RETURNING: an actor may write an entry for another tenant, but not read it.
    with connection.cursor() as cursor:
        cursor.execute(
            Unanswered(
                "INSERT INTO alliance_auditentry (at, organisation_id, actor_kind, actor_label, user_id,"
                " api_key_id, verb, object_type, object_id, detail, request_id)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)"
            ),
            [
                timezone.now(),
                organisation_id or actor.organisation_id,
                actor.kind,
                actor.label[:160],
                actor.user_id,
                actor.api_key_id,
                verb,
                object_type,
                str(object_id),
                json.dumps(detail or {}, default=str, ensure_ascii=False),
                str(context.get("request_id", ""))[:64],
            ],
        )


def verbs() -> list[str]:
    """Return every verb that an entry of the scope has."""
    return [verb for (verb,) in raw_rows(_VERBS)]
