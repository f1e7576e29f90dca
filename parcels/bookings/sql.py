"""The statement that writes booked parcels with their promises and events, as a database function.

Planning it takes several times as long as running it for one parcel.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.events import Topic
from slas.choices import CommitmentKind
from slas.commitments.sql import DRAFT, opening

# The columns of a booking -> type.
COLUMNS: Final = {
    **{"id": "bigint", "courier_id": "bigint", "tier_id": "int", "origin_id": "int", "destination_id": "int"},
    **{"offer_id": "bigint", "version_id": "bigint", "pickup_address_id": "bigint", "reference": "text"},
    **{"recipient_name": "text", "recipient_phone": "text", "recipient_address": "text"},
    **{"weight_g": "int", "fee_fen": "int", "ready_at": "timestamptz"},
    **{"pickup_date": "date", "pickup_by": "timestamptz", "deliver_by": "timestamptz"},
}
# Columns of its promises and its event.
_MORE: Final = {"pickup_due": "date", "delivery_due": "date", "payload": "text"}
_STORED: Final = ", ".join(COLUMNS)
_DIMENSIONS: Final = (
    "id, '{kind}', %(merchant_id)s, courier_id, tier_id, origin_id, destination_id, version_id"
)

# Returns the ids it wrote: those that another parcel had already are left out.
BOOK_PARCELS: Final = StoredStatement(
    "parcels_book",
    parameters={
        "merchant_id": "bigint",
        "source": "text",
        "at": "timestamptz",
        **{name: f"{kind}[]" for name, kind in (COLUMNS | _MORE).items()},
    },
    returns={"written_ids": "bigint[]"},
    body=f"""
BEGIN
    WITH booking ({", ".join(COLUMNS | _MORE)}) AS (
        SELECT * FROM unnest({", ".join(f"%({name})s" for name in COLUMNS | _MORE)})
    ),
    written AS (
        INSERT INTO parcels_parcel ({_STORED}, merchant_id, source, booked_at, status, status_at, corrected)
        SELECT {_STORED}, %(merchant_id)s, %(source)s, %(at)s, 'booked', %(at)s, false FROM booking
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    ),
    new AS MATERIALIZED (SELECT booking.* FROM booking JOIN written USING (id)),
    promised ({", ".join(DRAFT)}) AS (
        SELECT {_DIMENSIONS.format(kind=CommitmentKind.PICKUP)}, pickup_by, pickup_due, ready_at, NULL::int
        FROM new
        UNION ALL
        SELECT {_DIMENSIONS.format(kind=CommitmentKind.DELIVERY)}, deliver_by, delivery_due, ready_at, fee_fen
        FROM new
    ),
    {opening("promised")},
    announced AS (
        INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)
        SELECT '{Topic.PARCEL_BOOKED}', %(at)s, %(merchant_id)s, courier_id, id, payload::jsonb FROM new
    )
    SELECT coalesce(array_agg(id), '{{}}') INTO written_ids FROM new;
    RETURN NEXT;
END""",  # noqa: S608 -- built of constants
)
