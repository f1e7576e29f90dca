"""The statements that find candidates of the watch list, and store it, each for parcels of one shard.

Text only; `slas/forecasts/services/watch_list.py` runs it.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from slas.forecasts.watch_rules import TURNS

# Planned for their values: how many are due, or were seen since, decides which way is short.
PLANNED_WITH_VALUES: Final = {"plan_cache_mode": "force_custom_plan"}
# Uses partial indexes of open rows, so the cost follows what is due and what is on the list. The index of
# overdue rows has the courier before the due time: PostgreSQL skips through it.
CANDIDATES: Final = StoredStatement(
    "slas_watch_candidates",
    at_home=True,
    is_stable=True,
    is_plain=True,
    planning=PLANNED_WITH_VALUES,
    parameters={
        "home": "bigint",
        "now": "timestamptz",
        "until": "timestamptz",
        "since": "timestamptz",
        "near": "timestamptz",
        "turns": "int[]",
    },
    returns={"of_parcel": "bigint"},
    body=f"""
BEGIN
RETURN QUERY
SELECT parcel_id FROM slas_commitment
WHERE outcome = 'pending' AND due_at <= %(until)s AND (kind = 'delivery' OR due_at < %(now)s)
    AND (due_at <= %(near)s OR mod(parcel_id, {TURNS}) = ANY(%(turns)s))
UNION SELECT parcel_id FROM slas_commitment WHERE outcome = 'overdue' AND due_at > %(since)s
UNION SELECT parcel_id FROM slas_watchitem
WHERE reason <> 'at_risk' OR due_at <= %(near)s OR mod(parcel_id, {TURNS}) = ANY(%(turns)s);
END""",  # noqa: S608 -- built of constants
)

ITEM: Final = {
    "reason": "text",
    "merchant_id": "bigint",
    "courier_id": "bigint",
    "tier_id": "int",
    "origin_id": "int",
    "destination_id": "int",
    "due_at": "timestamptz",
    "stage": "text",
    "stage_at": "timestamptz",
    "chance": "float8",
    "p50_at": "timestamptz",
    "p90_at": "timestamptz",
    "is_in_trouble": "boolean",
}
_OF_PARCELS: Final = {
    "home": "bigint", "low": "bigint", "high": "bigint", "now": "timestamptz", "parcel_id": "bigint[]",
}  # fmt: skip
_CHANGES: Final = (
    "due_at",
    "stage",
    "stage_at",
    "chance",
    "p50_at",
    "p90_at",
    "is_in_trouble",
    "refreshed_at",
)
STORE: Final = StoredStatement(
    "slas_store_watch_items",
    at_home=True,
    is_plain=True,
    is_value=True,
    planning=PLANNED_WITH_VALUES,
    parameters={**_OF_PARCELS, **{name: f"{kind}[]" for name, kind in ITEM.items()}},
    returns={"stored": "bool"},
    body=f"""
BEGIN
INSERT INTO slas_watchitem (id, parcel_id, {", ".join(ITEM)}, refreshed_at)
SELECT nextval('slas_watchitem_id_seq'), *, %(now)s
FROM unnest(%(parcel_id)s, {", ".join(f"%({name})s" for name in ITEM)})
ON CONFLICT (parcel_id, reason) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _CHANGES)};
RETURN true;
END""",  # noqa: S608 -- built of constants
)
# Rows of these parcels that were not stored just now no longer hold.
CLEAR: Final = StoredStatement(
    "slas_clear_watch_items",
    at_home=True,
    is_plain=True,
    planning=PLANNED_WITH_VALUES,
    parameters=_OF_PARCELS,
    returns={"removed": "bigint"},
    body="""
BEGIN
RETURN QUERY
WITH cleared AS (
    DELETE FROM slas_watchitem WHERE parcel_id = ANY(%(parcel_id)s) AND refreshed_at <> %(now)s
    RETURNING 1
)
SELECT count(*) FROM cleared;
END""",
)
