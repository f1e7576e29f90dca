"""Insert millions of parcels by SQL: history as the product would leave it, and newly booked parcels.

With the product's role, policies, indexes and triggers. Import after django.setup().
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import psycopg2

from alliance.embedded.postgres import SUPERUSER
from alliance.identifiers import EPOCH
from benchmarks.database import administer, parameters_of, print_progress

DAYS = 45
# Age of parcels in transit at booking, so that the scans of a day are between then and now.
OLDEST_HOURS, NEWEST_HOURS = 60, 27
CHUNK = 125_000
# Scans of a parcel: code, and hours after its booking.
STORY = (("picked_up", 2), ("departed", 4), ("arrived", 10), ("out_for_delivery", 20), ("delivered", 26))

_EPOCH = int(EPOCH.timestamp() * 1000)
# Values of the digits of Crockford's alphabet in the alphabet of the check character.
_VALUES = [*range(18), 19, 20, 22, 23, *range(25, 30), *range(31, 36)]
_SUM = " + ".join(f"v[1 + (id >> {60 - 5 * place} & 31)] * {2 ** (13 - place) % 37}" for place in range(13))
# Five of the 37 check characters are ambiguous and not issued, so more ids are generated.
_DRAWN = f"""
CREATE TEMPORARY TABLE drawn ON COMMIT DROP AS
SELECT id, n, booked_at, hashint8extended(id, 7) & {2**62 - 1} AS hash
FROM (
    SELECT n, booked_at, ((extract(epoch FROM booked_at) * 1000)::bigint - {_EPOCH} << 22)
        + (hashint8extended(n, %(seed)s) & 4194303) AS id
    -- Anywhere in its part of the time: parts of other fillings are the same, and ids must not be.
    FROM (SELECT n, %(first)s + (n - (hashint8extended(n, -%(seed)s) & 1048575) / 1048576.0) / %(drawn)s
            * (%(last)s - %(first)s) AS booked_at
        FROM generate_series(1, %(drawn)s) AS n) AS x
) AS y, (SELECT ARRAY{_VALUES} AS v) AS w
WHERE (38 - ({_SUM}) %% 37) %% 37 NOT IN (18, 21, 24, 30, 36)
LIMIT %(count)s
"""
# The first merchant has a little more than half of all parcels.
_GROWN = """
CREATE TEMPORARY TABLE grown ON COMMIT DROP AS
SELECT id, booked_at, hash,
    (%(merchants)s::bigint[])[CASE WHEN hash %% 100 < 52 THEN 1
        ELSE 1 + (hash >> 8) %% array_length(%(merchants)s::bigint[], 1) END] AS merchant_id,
    (%(couriers)s::bigint[])[1 + (hash >> 16) %% array_length(%(couriers)s::bigint[], 1)] AS courier_id,
    (SELECT min(id) FROM slas_servicetier) AS tier_id,
    1 + (hash >> 24) %% 30 AS origin_id, 1 + (hash >> 32) %% 30 AS destination_id,
    booked_at + interval '66 hours' AS pickup_by, booked_at + interval '72 hours' AS deliver_by,
    'SO-' || %(seed)s || '-' || n AS reference
FROM drawn
"""
_PARCELS = """
INSERT INTO parcels_parcel (id, merchant_id, courier_id, tier_id, origin_id, destination_id, source,
    reference, recipient_name, recipient_phone, recipient_address, weight_g, fee_fen, booked_at, ready_at,
    pickup_by, deliver_by, status, status_at, corrected, last_scan_at, picked_up_at, departed_at, arrived_at,
    out_for_delivery_at, delivered_at)
SELECT id, merchant_id, courier_id, tier_id, origin_id, destination_id, 'api', reference,
    'Recipient ' || hash %% 1000, '13800' || hash %% 1000000, 'Building 7, room 1203, West Lake road 88',
    800, 1250, booked_at, booked_at, pickup_by, deliver_by, {status}, {status_at}, false, {times}
FROM grown
"""
_BOOKED = _PARCELS.format(
    status="'booked'", status_at="booked_at", times=", ".join(["NULL::timestamptz"] * 6)
)
_TIMES = [f"booked_at + interval '{hours} hours'" for _code, hours in STORY]
_DELIVERED = _PARCELS.format(
    status="'delivered'", status_at=_TIMES[-1], times=", ".join([_TIMES[-1], *_TIMES])
)
_COMMITMENTS = """
INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
    due_at, due_date, ready_at, fee_fen, excused, excuse_reason, outcome, reached_at,
    picked_up_at, departed_at, arrived_at, out_for_delivery_at, attempted_at, delivered_at)
SELECT id, 'pickup', merchant_id, courier_id, tier_id, origin_id, destination_id,
    pickup_by, pickup_by::date, booked_at, NULL::int, false, '', {outcome}, {pickup}, {nothing}
FROM grown
UNION ALL
SELECT id, 'delivery', merchant_id, courier_id, tier_id, origin_id, destination_id,
    deliver_by, deliver_by::date, booked_at, 1250, false, '', {outcome}, {delivery}, {journey}
FROM grown
"""
_NOTHING = ", ".join(["NULL::timestamptz"] * 6)
_PENDING = _COMMITMENTS.format(
    outcome="'pending'", pickup="NULL::timestamptz", delivery="NULL::timestamptz",
    nothing=_NOTHING, journey=_NOTHING,
)  # fmt: skip
_MET = _COMMITMENTS.format(
    outcome="'met'", pickup=_TIMES[0], delivery=_TIMES[-1],
    nothing=_NOTHING, journey=", ".join([*_TIMES, _TIMES[-1]]),
)  # fmt: skip
_SCANS = f"""
INSERT INTO parcels_scan (parcel_id, event_key, merchant_id, courier_id, code, occurred_at, received_at,
    reason, facility, event_id, consent)
SELECT id, hashint8extended(id, hours), merchant_id, courier_id, code,
    booked_at + hours * interval '1 hour', booked_at + hours * interval '1 hour', '', 'HGH-01', '', false
FROM grown, (VALUES {", ".join(f"('{code}', {hours})" for code, hours in STORY)}) AS s (code, hours)
"""
_HISTORY = (_DRAWN, _GROWN, _DELIVERED, _MET, _SCANS)
_ROAD = (_DRAWN, _GROWN, _BOOKED, _PENDING)
TABLES = ("parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach")


def fill(
    *, history: int, road: int, couriers: Sequence[int], merchants: Sequence[int], seed: int
) -> list[int]:
    """Add parcels delivered during the last weeks, and parcels that wait for their first scan.

    Return the seeds of the latter, with which their references begin.
    """
    begun, now = time.perf_counter(), datetime.now(UTC)
    organisations = {"couriers": list(couriers), "merchants": list(merchants)}
    weeks = (now - timedelta(days=DAYS), now - timedelta(hours=OLDEST_HOURS))
    days = (now - timedelta(hours=OLDEST_HOURS), now - timedelta(hours=NEWEST_HOURS))
    parts = [(_HISTORY, count, weeks) for count in _chunks(history)]
    parts += [(_ROAD, count, days) for count in _chunks(road)]
    jobs = [
        (statements, {**organisations, "first": first, "last": last, "count": count,
            "drawn": count * 6 // 5 + 100, "seed": seed + place})
        for place, (statements, count, (first, last)) in enumerate(parts)
    ]  # fmt: skip
    with get_context("fork").Pool(2) as pool:
        pool.starmap(_run, [job for job in jobs if job[0] is _HISTORY], chunksize=1)
        tidy()
        checkpoint()
        pool.starmap(_run, [job for job in jobs if job[0] is _ROAD], chunksize=1)
    tidy()
    print_progress(f"{history + road:,} parcels made in {time.perf_counter() - begun:.1f} s")
    return [job["seed"] for statements, job in jobs if statements is _ROAD]


def tidy() -> None:
    """Vacuum and analyze the tables, as autovacuum does after some quiet minutes."""
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    administer(f"VACUUM (ANALYZE) {', '.join(TABLES)}", database=settings.DATABASES["default"]["NAME"])


def checkpoint() -> None:
    """Run a checkpoint, so that each size is measured at the same point of the checkpoint cycle.

    The first change of a page after a checkpoint writes a full-page image, which more than doubles the WAL of
    a scan; the time of the last checkpoint depends on the amount of inserted data. Parcels in transit are
    inserted after it, like today's parcels. On another server than the embedded one, this is not permitted.
    """
    try:
        connection = psycopg2.connect(**{**parameters_of("postgres"), "user": SUPERUSER})
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
        connection.close()
    except psycopg2.Error:
        print_progress("no superuser here: a checkpoint may come anywhere")


def _chunks(count: int) -> list[int]:
    full_chunks, remainder = divmod(count, CHUNK)
    return [CHUNK] * full_chunks + [remainder] * bool(remainder)


def _run(statements: Sequence[str], parameters: dict[str, object]) -> None:
    connection = _connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL alliance.scope = 'all'")
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL work_mem = '128MB'")
        for statement in statements:
            cursor.execute(statement, parameters)
    connection.close()


def _connect() -> "psycopg2.extensions.connection":
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    return psycopg2.connect(**parameters_of(settings.DATABASES["default"]["NAME"]))
