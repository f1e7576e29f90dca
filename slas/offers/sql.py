"""SQL of quotes and of capacity: one message reads what is on sale, one reserves places."""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from slas.allocation.in_force import RULES_STAMP
from slas.choices import CommitmentKind
from slas.offers.ranking import RECORD_DAYS
from slas.promises.tiers_in_force import CLOSURES_STAMP, TIERS_STAMP

# The stamps of tiers, closures and the merchant's rules, and the offers on each lane with the record of their
# couriers there; one row without an offer if there are none. LATERAL: each lane's records are added up once.
MARKET: Final = StoredStatement(
    "slas_market",
    parameters={
        "merchant_id": "bigint",
        "origin_id": "int[]",
        "destination_id": "int[]",
        "today": "date[]",
        "first_day": "date",
        "last_day": "date",
        "known_at": "timestamptz",
    },
    returns={
        "tiers": "text",
        "closures": "text",
        "rules": "text",
        "offer_id": "bigint",
        "courier_id": "bigint",
        "name": "text",
        "grade": "text",
        "tier_id": "int",
        "origin_id": "int",
        "destination_id": "int",
        "price_fen": "int",
        "met": "bigint",
        "late": "bigint",
        "overdue": "bigint",
        "excused": "bigint",
    },
    is_stable=True,
    has_nested_loops=True,
    body=f"""
BEGIN
    RETURN QUERY
    SELECT stamps.*, offer.*
    FROM (SELECT {TIERS_STAMP}, {CLOSURES_STAMP}, {RULES_STAMP}) AS stamps
    LEFT JOIN (unnest(%(origin_id)s, %(destination_id)s, %(today)s) AS w (origin_id, destination_id, today)
        CROSS JOIN LATERAL (
            WITH record AS MATERIALIZED (
                SELECT r.organisation_id, r.tier_id, sum(r.met) AS met, sum(r.late) AS late,
                    sum(r.overdue) AS overdue, sum(r.excused) AS excused
                FROM slas_ontimerate r
                WHERE r.origin_id = w.origin_id AND r.destination_id = w.destination_id
                    AND r.counterpart_id IS NULL AND r.kind = '{CommitmentKind.DELIVERY}'
                    AND r.due_date > w.today - {RECORD_DAYS} AND r.due_date <= w.today
                GROUP BY r.organisation_id, r.tier_id
            )
            SELECT o.id, o.courier_id, g.name::text, k.grade::text, o.tier_id::int, o.origin_id,
                o.destination_id, o.price_fen, record.met, record.late, record.overdue, record.excused
            FROM slas_offer o
            JOIN alliance_organisation g ON g.id = o.courier_id AND g.status = 'active'
            JOIN couriers_courier k ON k.organisation_id = o.courier_id
            LEFT JOIN record ON record.organisation_id = o.courier_id AND record.tier_id = o.tier_id
            WHERE o.origin_id = w.origin_id AND o.destination_id = w.destination_id AND o.active
        ) AS offer
    ) ON true;
END""",  # noqa: S608 -- built of constants
)

# Days that nobody has booked yet, with the capacity of their offers. It names the sequence of its ids: on a
# cluster it may write to a shard, whose columns have no default.
MAKE_DAYS: Final = """
INSERT INTO slas_capacityday (id, offer_id, courier_id, date, "limit", reserved)
SELECT nextval('slas_capacityday_id_seq'), o.id, o.courier_id, w.date, o.daily_capacity, 0
FROM unnest(%(offer_id)s::bigint[], %(date)s::date[]) AS w(offer_id, date)
JOIN slas_offer o ON o.id = w.offer_id
WHERE NOT EXISTS (SELECT 1 FROM slas_capacityday d WHERE d.offer_id = w.offer_id AND d.date = w.date)
ORDER BY o.id, w.date
ON CONFLICT (offer_id, date) DO NOTHING
"""

# Reserves n places in each slot, or none at all. What fails is rolled back, and gives its locks back, too.
RESERVE: Final = StoredStatement(
    "slas_reserve",
    parameters={"offer_id": "bigint[]", "date": "date[]", "n": "int[]"},
    returns={"has_room": "boolean"},
    has_nested_loops=True,
    body=f"""
DECLARE
    taken int;
BEGIN
    {MAKE_DAYS};
    WITH wanted AS (
        SELECT * FROM unnest(%(offer_id)s, %(date)s, %(n)s) AS w(offer_id, date, n)
    ), locked AS (
        SELECT d.id, w.n FROM slas_capacityday d JOIN wanted w ON w.offer_id = d.offer_id AND w.date = d.date
        ORDER BY d.offer_id, d.date FOR UPDATE OF d
    )
    UPDATE slas_capacityday d SET reserved = d.reserved + l.n
    FROM locked l WHERE d.id = l.id AND d.reserved + l.n <= d."limit";
    GET DIAGNOSTICS taken = ROW_COUNT;
    IF taken < cardinality(%(n)s) THEN
        RAISE no_data_found;
    END IF;
    has_room := true;
    RETURN NEXT;
EXCEPTION WHEN no_data_found THEN
    has_room := false;
    RETURN NEXT;
END""",  # noqa: S608 -- built of constants
)

# SQLSTATE of a slot without room.
NO_ROOM: Final = "AL002"
# The same in front of another statement of its message, which is not run without room.
RESERVE_OR_FAIL: Final = StoredStatement(
    "slas_reserve_or_fail",
    parameters=RESERVE.parameters,
    returns={"has_room": "boolean"},
    is_value=True,
    is_plain=True,
    # Citus dissuades from it, for each call of a function that the workers have, too.
    planning={"plan_cache_mode": "force_generic_plan"},
    body=f"""
BEGIN
    IF (SELECT has_room FROM {RESERVE.name}({", ".join(f"%({name})s" for name in RESERVE.parameters)})) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'there is no room' USING ERRCODE = '{NO_ROOM}';
END""",  # noqa: S608 -- built of constants
)
