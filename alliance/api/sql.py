"""SQL of idempotency keys."""

from typing import Final

from alliance.database.stored_functions import StoredStatement

# Whether the key could be locked, and what is stored under it. The second statement of the function sees what
# was committed before the first one.
CLAIM_KEY: Final = StoredStatement(
    "alliance_claim_key",
    parameters={
        "number": "bigint",
        "organisation_id": "bigint",
        "route": "text",
        "key": "text",
        "since": "timestamptz",
    },
    returns={"is_ours": "boolean", "kept_hash": "text", "kept_status": "int", "kept_answer": "text"},
    body="""
BEGIN
    is_ours := pg_try_advisory_xact_lock(%(number)s);
    IF is_ours THEN
        SELECT r.body_hash, r.status, r.answer INTO kept_hash, kept_status, kept_answer
        FROM alliance_idempotentrequest r
        WHERE r.organisation_id = %(organisation_id)s AND r.route = %(route)s AND r.key = %(key)s
            AND r.created_at > %(since)s;
    END IF;
    RETURN NEXT;
END""",
)

KEEP_ANSWER: Final = """
INSERT INTO alliance_idempotentrequest (organisation_id, route, key, body_hash, status, answer, created_at)
VALUES (%(organisation_id)s, %(route)s, %(key)s, %(body_hash)s, %(status)s, %(answer)s, %(now)s)
ON CONFLICT (organisation_id, route, key) DO UPDATE SET body_hash = excluded.body_hash,
    status = excluded.status, answer = excluded.answer, created_at = excluded.created_at
"""
