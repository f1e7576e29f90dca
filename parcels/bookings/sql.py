"""The statements of a booking, as database functions.

Planning them takes several times as long as running them for one parcel.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.events import NEXT_ID, Topic
from alliance.locks import Lock
from parcels.choices import ParcelStatus
from slas.choices import CommitmentKind
from slas.commitments.sql import DRAFT, opening, opening_of_one
from slas.offers.sql import MARKET, RESERVE

# The merchant's standing, and what is on sale. Changes of standing wait until the transaction ends, and what
# was committed before is seen: each statement of the function has a snapshot of its own.
OPEN_BOOKING: Final = StoredStatement(
    "parcels_open_booking",
    parameters=MARKET.parameters,
    returns={"standing": "text", "joined_at": "timestamptz", "is_lifted": "boolean", **MARKET.returns},
    has_nested_loops=True,
    body=f"""
BEGIN
    PERFORM pg_advisory_xact_lock_shared({Lock.CHANGE_STANDING.value});
    SELECT o.status, o.created_at, coalesce(m.limit_lifted, false) INTO standing, joined_at, is_lifted
    FROM alliance_organisation o LEFT JOIN parcels_merchant m ON m.organisation_id = o.id
    WHERE o.id = %(merchant_id)s;
    RETURN QUERY SELECT standing, joined_at, is_lifted, market.* FROM ({MARKET.call}) AS market;
END""",  # noqa: S608 -- built of constants
)

# The columns of a booking -> type.
COLUMNS: Final = {
    **{"id": "bigint", "courier_id": "bigint", "tier_id": "int", "origin_id": "int", "destination_id": "int"},
    **{"offer_id": "bigint", "version_id": "bigint", "pickup_address_id": "bigint", "reference": "text"},
    **{"recipient_name": "text", "recipient_phone": "text", "recipient_address": "text"},
    **{"weight_g": "int", "fee_fen": "int", "declared_value_fen": "int", "ready_at": "timestamptz"},
    **{"pickup_date": "date", "pickup_by": "timestamptz", "deliver_by": "timestamptz"},
    **{"piece": "smallint", "pieces": "smallint", "order_id": "bigint"},
    **{"rule_position": "smallint", "rule_name": "text"},
}
# Columns of its promises and its event.
_MORE: Final = {"pickup_due": "date", "delivery_due": "date", "payload": "text"}
_RESERVED: Final = ", ".join(f"%(reserved_{name})s" for name in RESERVE.parameters)
_HAS_ROOM: Final = f"(SELECT has_room FROM {RESERVE.name}({_RESERVED}))"  # noqa: S608 -- built of constants
_STORED: Final = ", ".join(COLUMNS)
_DIMENSIONS: Final = (
    "id, '{kind}', %(merchant_id)s, courier_id, tier_id, origin_id, destination_id, version_id"
)

_PICKUP: Final = (
    f"{_DIMENSIONS.format(kind=CommitmentKind.PICKUP)}, pickup_by, pickup_due, ready_at, NULL::int, NULL::int"
)
_DELIVERY: Final = (
    f"{_DIMENSIONS.format(kind=CommitmentKind.DELIVERY)}, deliver_by, delivery_due, ready_at, fee_fen,"
    " declared_value_fen"
)
_INTO_PARCELS: Final = f"""
        INSERT INTO parcels_parcel ({_STORED}, merchant_id, source, booked_at, status,
            status_at, corrected)"""
_INTO_EVENTS: Final = (
    "INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)"
)


def _of_first(names: str) -> str:
    """Return the expressions of the first booking's columns among some."""
    columns = COLUMNS | _MORE
    return ", ".join(f"%({name})s[1]" if name in columns else name for name in names.split(", "))


_PROMISED: Final = f"""(VALUES ({_of_first(_PICKUP)}),
            ({_of_first(_DELIVERY)})) AS promised ({", ".join(DRAFT)})"""
# A single booking. To start the statement of many takes the server longer than all that it does to one row.
_BOOK_ONE: Final = f"""{_INTO_PARCELS}
        VALUES ({_of_first(_STORED)}, %(merchant_id)s, %(source)s, %(at)s, 'booked', %(at)s, false)
        ON CONFLICT (id) DO NOTHING;
        IF NOT FOUND THEN
            RETURN written_ids;
        END IF;
        {opening_of_one(_PROMISED)}
        {_INTO_EVENTS}
        VALUES ({NEXT_ID}, '{Topic.PARCEL_BOOKED}', %(at)s, %(merchant_id)s,
            {_of_first("courier_id, id, payload")}::jsonb);
        RETURN %(id)s;"""

# Writes bookings whose ids lie in the shard of `home` (any, on one server), and returns the ids it wrote:
# those that another parcel had already are left out.
WRITE_BOOKINGS: Final = StoredStatement(
    "parcels_write_bookings",
    parameters={
        "home": "bigint",
        "merchant_id": "bigint",
        "source": "text",
        "at": "timestamptz",
        **{name: f"{kind}[]" for name, kind in (COLUMNS | _MORE).items()},
    },
    returns={"written_ids": "bigint[]"},
    is_value=True,
    at_home=True,
    null_if_moved=True,
    body=f"""
DECLARE
    written_ids bigint[] := '{{}}';
BEGIN
    IF cardinality(%(id)s) = 1 THEN{_BOOK_ONE}
    END IF;
    WITH booking ({", ".join(COLUMNS | _MORE)}) AS (
        SELECT * FROM unnest({", ".join(f"%({name})s" for name in COLUMNS | _MORE)})
    ),
    written AS ({_INTO_PARCELS}
        SELECT {_STORED}, %(merchant_id)s, %(source)s, %(at)s, 'booked', %(at)s, false FROM booking
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    ),
    new AS MATERIALIZED (SELECT booking.* FROM booking JOIN written USING (id)),
    promised ({", ".join(DRAFT)}) AS (
        SELECT {_PICKUP} FROM new
        UNION ALL
        SELECT {_DELIVERY} FROM new
    ),
    {opening("promised")},
    announced AS (
        {_INTO_EVENTS}
        SELECT {NEXT_ID}, '{Topic.PARCEL_BOOKED}', %(at)s, %(merchant_id)s, courier_id, id, payload::jsonb
        FROM new
    )
    SELECT coalesce(array_agg(id), '{{}}') INTO written_ids FROM new;
    RETURN written_ids;
END""",  # noqa: S608 -- built of constants
)

# The same on one server, with the reservation of places before it, in one call. Without room it writes
# nothing and returns NULL.
BOOK_PARCELS: Final = StoredStatement(
    "parcels_book",
    parameters={
        **{f"reserved_{name}": kind for name, kind in RESERVE.parameters.items()},
        **WRITE_BOOKINGS.parameters,
    },
    returns={"written_ids": "bigint[]"},
    is_value=True,
    is_plain=True,
    body=f"""
BEGIN
    IF %(reserved_n)s <> '{{}}' AND NOT {_HAS_ROOM} THEN
        RETURN NULL;
    END IF;
    RETURN {WRITE_BOOKINGS.name}({", ".join(f"%({name})s" for name in WRITE_BOOKINGS.parameters)});
END""",
)

# The parcels of an order, in their order. They have the millisecond of the first one's id, `home`, and its
# home: a few rows of one shard's primary key, which no index of orders would find faster.
PIECES_OF_ORDER: Final = StoredStatement(
    "parcels_pieces_of_order",
    at_home=True,
    is_stable=True,
    is_plain=True,
    parameters={"home": "bigint", "low": "bigint", "high": "bigint"},
    returns={"id": "bigint", "piece": "int", "status": "text"},
    body="""
BEGIN
    RETURN QUERY
    SELECT p.id, p.piece::int, (CASE WHEN EXISTS (
            SELECT 1 FROM slas_commitment c
            WHERE c.parcel_id = p.id AND c.kind = 'delivery' AND c.lost_at IS NOT NULL
                AND c.delivered_at IS NULL
        ) THEN 'lost' ELSE p.status END)::text
    FROM parcels_parcel p
    WHERE p.id BETWEEN %(low)s AND %(high)s AND p.order_id = %(home)s
    ORDER BY p.piece;
END""",
)

# Cancels those of the parcels that have not moved, of one merchant or (NULL) of all, and returns what has
# become of each that can be seen. Scans fold under the same row locks: a pickup and a cancellation see each
# other. Some are only locked, with the others in one order: those that the cancelled ones bring back.
CANCEL_PARCELS: Final = StoredStatement(
    "parcels_cancel",
    at_home=True,
    parameters={
        **{"home": "bigint", "low": "bigint", "high": "bigint", "at": "timestamptz", "of_merchant": "bigint"},
        **{"parcel_id": "bigint[]", "only_locked": "bigint[]"},
    },
    returns={
        **{"of_parcel": "bigint", "is_own": "bool", "was_booked": "bool", "has_status": "text"},
        **{"since": "timestamptz", "merchant": "bigint", "courier": "bigint", "offer": "bigint"},
        **{"day": "date", "known_as": "text"},
    },
    body=f"""
BEGIN
RETURN QUERY
WITH held AS MATERIALIZED (
    SELECT id, status, status_at, merchant_id, courier_id, offer_id, pickup_date, reference,
        %(of_merchant)s IS NULL OR merchant_id = %(of_merchant)s AS own
    FROM parcels_parcel
    WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
    ORDER BY id
    FOR NO KEY UPDATE
),
cancelled AS (
    UPDATE parcels_parcel p
    SET status = '{ParcelStatus.CANCELLED}', status_at = %(at)s, cancelled_at = %(at)s
    FROM held h
    WHERE p.id = h.id AND p.id BETWEEN %(low)s AND %(high)s AND h.own AND h.status = '{ParcelStatus.BOOKED}'
        AND p.id <> ALL(%(only_locked)s)
    RETURNING p.id
)
SELECT h.id, h.own, c.id IS NOT NULL,
    (CASE WHEN c.id IS NULL THEN h.status ELSE '{ParcelStatus.CANCELLED}' END)::text,
    CASE WHEN c.id IS NULL THEN h.status_at ELSE %(at)s END,
    h.merchant_id, h.courier_id, h.offer_id, h.pickup_date, h.reference::text
FROM held h LEFT JOIN cancelled c ON c.id = h.id;
END""",  # noqa: S608 -- built of constants
)
