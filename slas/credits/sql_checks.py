"""The statements of the queue of credit checks, of one shard.

Text only; `slas/credits/services/entries.py` runs it. Plain: each is run with the settings that it finds.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from slas.credits.sql import PARAMETERS, targets

# Oldest first, by the index: see slas.rates.sql.oldest(). A check committed later with a lower id is taken by
# the next batch.
TAKE_CHECKS: Final = StoredStatement(
    "slas_take_credit_checks",
    at_home=True,
    is_plain=True,
    parameters={"home": "bigint", "limit": "int"},
    returns={"parcel_id": "bigint", "kind": "text"},
    body=f"""
BEGIN
    RETURN QUERY
    DELETE FROM slas_creditcheck
    WHERE id <= (
        SELECT coalesce(
            (SELECT id FROM slas_creditcheck ORDER BY id OFFSET %(limit)s - 1 LIMIT 1), {2**63 - 1}
        )
    )
    RETURNING parcel_id, kind::text;
END""",  # noqa: S608 -- built of constants
)
CHECK_GROWN: Final = StoredStatement(
    "slas_check_grown_credits",
    at_home=True,
    is_plain=True,
    is_value=True,
    parameters={"home": "bigint", **PARAMETERS},
    returns={"queued": "bigint"},
    body=f"""
DECLARE
    queued bigint;
BEGIN
    WITH {targets("c.outcome = 'overdue' AND NOT c.excused AND c.lost_at IS NULL")}
    INSERT INTO slas_creditcheck (id, parcel_id, kind, merchant_id, courier_id)
    SELECT nextval('slas_creditcheck_id_seq'), t.parcel_id, 'delivery', t.merchant_id, t.courier_id
    FROM credit_target t
    WHERE t.fen <> coalesce((
            SELECT sum(e.amount_fen) FROM slas_creditentry e
            WHERE e.parcel_id = t.parcel_id AND e.kind = 'delivery'), 0)
        AND NOT EXISTS (SELECT 1 FROM slas_creditcheck k WHERE k.parcel_id = t.parcel_id);
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END""",  # noqa: S608 -- built of constants
)
