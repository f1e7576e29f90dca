"""Insert the rows of bookings by bare SQL: one INSERT per table, one transaction per batch.

COPY is refused under forced row-level security, so columns are sent as arrays to INSERT ... SELECT. Nothing
is read, calculated or returned: all values are generated beforehand.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from benchmarks.clients import LoadResult

_COLUMNS = """
FROM unnest(%(id)s::bigint[], %(origin)s::int[], %(destination)s::int[], %(reference)s::text[])
    AS x (id, origin, destination, reference)
"""
_PARCELS = f"""
INSERT INTO parcels_parcel (id, merchant_id, courier_id, tier_id, origin_id, destination_id, offer_id,
    version_id, source, reference, recipient_name, recipient_phone, recipient_address, weight_g, fee_fen,
    booked_at, ready_at, pickup_date, pickup_by, deliver_by, status, status_at, corrected)
SELECT id, %(merchant)s, 1, 2, origin, destination, 1, 1, 'api', reference, '王小明', '13812345678',
    '人民南路四段12号3单元1203室', 900, 1250, %(now)s, %(now)s, %(now)s, %(pickup)s, %(due)s,
    'booked', %(now)s, false {_COLUMNS}
"""
_COMMITMENTS = f"""
INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
    version_id, due_at, due_date, ready_at, fee_fen, outcome, excused, excuse_reason)
SELECT id, kind, %(merchant)s, 1, 2, origin, destination, 1, due, due::date, %(now)s, 1250, 'pending',
    false, ''
{_COLUMNS}, (VALUES ('pickup', %(pickup)s), ('delivery', %(due)s)) AS k (kind, due)
"""
_TALLIES = f"""
INSERT INTO slas_tally (merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date, pending,
    met, late, overdue, void, excused, attempted, first_attempt, within_48h, within_72h)
SELECT %(merchant)s, 1, 2, origin, destination, kind, %(due)s::date, count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0
{_COLUMNS}, (VALUES ('pickup'), ('delivery')) AS k (kind) GROUP BY origin, destination, kind
"""
_EVENTS = f"""
INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)
SELECT 'parcel.booked', %(now)s, %(merchant)s, 1, id, jsonb_build_object('tracking_number', id::text,
    'reference', reference, 'tier', 'next_day', 'pickup_by', %(pickup)s, 'deliver_by', %(due)s) {_COLUMNS}
"""


def insert(
    ready: Callable[[], Any],
    connection_parameters: dict[str, Any],
    merchant: int,
    seed: int,
    batch: int,
    batches: int,
) -> LoadResult:
    """Insert batches of bookings of a merchant; the first is not counted. Each seed gives different ids."""
    from alliance.identifiers import new_parcel_id  # noqa: PLC0415 -- after django.setup()

    now = datetime.now(UTC)
    # At the end of the indexes, like real bookings, in a second that no other run and no booking uses.
    at = now + timedelta(minutes=10, seconds=seed)
    ids = [new_parcel_id(at, random_bits=8 * place) for place in range(batch * (batches + 1))]
    values = {
        "merchant": merchant,
        "now": now,
        "pickup": now + timedelta(hours=6),
        "due": now + timedelta(hours=30),
    }
    parts = [
        {
            **values,
            "id": ids[number * batch : (number + 1) * batch],
            "origin": [1 + place % 10 for place in range(batch)],
            "destination": [1 + place // 10 % 10 for place in range(batch)],
            "reference": [f"BARE-{seed}-{number}-{place}" for place in range(batch)],
        }
        for number in range(batches + 1)
    ]
    connection, result = psycopg2.connect(**connection_parameters), LoadResult()
    for number, part in enumerate(parts):
        if number == 1:
            ready()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL alliance.scope = %s", [f"merchant:{merchant}"])
            for statement in (_PARCELS, _COMMITMENTS, _TALLIES, _EVENTS):
                cursor.execute(statement, part)
        if number:
            result.items += batch
    return result
