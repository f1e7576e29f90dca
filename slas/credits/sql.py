"""The credits of all deliveries in SQL, computed from scratch.

`slas.credits.rules.credit_for` is the rule, and the ledger is written by it. This is the same rule on sets,
for the audit and for the task that looks for overdue parcels whose credit has grown. A test checks that the
two agree.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from alliance.database.literals import numbers
from slas.credits.rules import EXCUSES_LOSS, Schedules

# Above every parcel id.
_NO_END: Final = 2**63 - 1
_LOSS_EXCUSED: Final = ", ".join(sorted(f"'{reason.value}'" for reason in EXCUSES_LOSS))
_CREDITED: Final = """CASE
            WHEN is_lost THEN CASE WHEN loss_excused THEN 0 ELSE coalesce(declared_value_fen, lost_fen) END
            WHEN {late_by} IS NULL OR excused THEN 0
            ELSE least((fee_fen::bigint * coalesce((
                SELECT max(b.share_percent) FROM credit_band b
                WHERE b.tier_id = credit_facts.tier_id AND b.first_id = credit_facts.first_id
                    AND b.from_lateness <= credit_facts.{late_by}), 0) + 50) / 100, cap_fen)
            END"""

# The parameters of targets() and their types.
PARAMETERS: Final = {
    **{"now": "timestamptz", "before": "timestamptz"},
    **{"tiers": "int[]", "starts": "bigint[]", "ends": "bigint[]", "caps": "int[]", "losts": "int[]"},
    **{"band_tiers": "int[]", "band_starts": "bigint[]", "minutes": "int[]", "shares": "int[]"},
}


def targets(condition: str) -> str:
    """Return the CTEs up to credit_target, over deliveries `c` that meet a condition.

    credit_target(parcel_id, merchant_id, courier_id, fen, fen_before): the credit at `now`, and the credit at
    `before`: the two differ if an overdue parcel reached a band in between. Deliveries not in it have no
    credit. Parameters: see parameters().
    """
    facts = f"""
        SELECT c.parcel_id, c.merchant_id, c.courier_id, c.fee_fen, c.declared_value_fen,
            c.excused,
            c.excused AND c.excuse_reason IN ({_LOSS_EXCUSED}) AS loss_excused,
            c.lost_at IS NOT NULL AND c.delivered_at IS NULL AS is_lost,
            CASE c.outcome WHEN 'late' THEN c.reached_at - c.due_at
                WHEN 'overdue' THEN greatest(%(now)s::timestamptz - c.due_at, interval '0') END AS late_by,
            CASE c.outcome WHEN 'late' THEN c.reached_at - c.due_at
                WHEN 'overdue' THEN greatest(%(before)s::timestamptz - c.due_at, interval '0') END
                AS late_before,
            s.tier_id, s.first_id, s.cap_fen, s.lost_fen
        FROM slas_commitment c
        JOIN credit_span s ON s.tier_id = c.tier_id AND c.parcel_id >= s.first_id AND c.parcel_id < s.end_id
        WHERE c.kind = 'delivery' AND c.fee_fen IS NOT NULL AND c.outcome <> 'void' AND ({condition})"""  # noqa: S608 -- built of constants
    return f"""
    credit_span AS MATERIALIZED (
        SELECT * FROM unnest(%(tiers)s::int[], %(starts)s::bigint[], %(ends)s::bigint[], %(caps)s::int[],
            %(losts)s::int[]) AS s (tier_id, first_id, end_id, cap_fen, lost_fen)
    ),
    credit_band AS MATERIALIZED (
        SELECT tier_id, first_id, minutes * interval '1 minute' AS from_lateness, share_percent
        FROM unnest(%(band_tiers)s::int[], %(band_starts)s::bigint[], %(minutes)s::int[], %(shares)s::int[])
            AS b (tier_id, first_id, minutes, share_percent)
    ),
    credit_facts AS ({facts}
    ),
    credit_target AS (
        SELECT parcel_id, merchant_id, courier_id,
            {_CREDITED.format(late_by="late_by")} AS fen,
            {_CREDITED.format(late_by="late_before")} AS fen_before
        FROM credit_facts
    )"""  # noqa: S608 -- built of constants


def parameters(schedules: Schedules, *, now: datetime, grace: timedelta) -> dict[str, Any]:
    """The parameters of targets(): the times, and the schedules as columns."""
    spans = list(schedules.spans())
    bands = [(tier_id, start, band) for tier_id, start, _end, rule in spans for band in rule.bands]

    return {
        "now": now,
        "before": now - grace,
        "tiers": numbers([tier_id for tier_id, _start, _end, _rule in spans]),
        "starts": numbers([start for _tier, start, _end, _rule in spans]),
        "ends": numbers([_NO_END if end is None else end for _tier, _start, end, _rule in spans]),
        "caps": numbers([rule.cap_fen for _tier, _start, _end, rule in spans]),
        "losts": numbers([rule.lost_fen for _tier, _start, _end, rule in spans]),
        "band_tiers": numbers([tier_id for tier_id, _start, _band in bands]),
        "band_starts": numbers([start for _tier, start, _band in bands]),
        "minutes": numbers([band.late_by_minutes for _tier, _start, band in bands]),
        "shares": numbers([band.share_percent for _tier, _start, band in bands]),
    }
