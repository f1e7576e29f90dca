"""A growing database: more and more settled history in the same thirty days, as the product would leave it.

History is inserted by SQL with the product's role, policies, indexes and triggers. Import after
django.setup().
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection

from alliance.database import partitions
from alliance.database.owner import as_owner
from alliance.identifiers import EPOCH
from alliance.members.acquaintances import acquaint
from alliance.models import City
from alliance.tenancy import Scope, raw_rows, scope
from slas.commitments.landmarks import sql_progress_marks
from slas.commitments.sql_counts import COUNTS, counted, marks
from slas.forecasts.services.folding import fold_progress
from slas.models import ServiceTier
from tests import factories

COURIERS, MERCHANTS, CITIES = 8, 200, 10
# History has the first merchants only, with so many lanes each, so that its cells are the same at each size.
SENDERS, LANES_EACH = 16, 5
# It ends a week ago, so that no commitment of it is open.
DAYS, SINCE = 30, 7


class Lane(NamedTuple):
    """A merchant, a courier, an origin and a destination."""

    merchant_id: int
    courier_id: int
    tier_id: int
    origin_id: int
    destination_id: int


@dataclass(slots=True)
class GrowthWorld:
    """The organisations of the database, and its size."""

    couriers: list[int]
    merchants: list[int]
    tiers: list[int]
    cities: list[int]
    lanes: list[Lane]
    commitments: int = 0

    def grow(self, commitments: int) -> float:
        """Add history up to a number of commitments; return the seconds this took."""
        begun = time.perf_counter()
        missing = (commitments - self.commitments) // 2
        if missing > 0:
            _add_history(self, missing)
            self.commitments += 2 * missing
        return time.perf_counter() - begun


def populate() -> GrowthWorld:
    """Create months, couriers and merchants in an empty database."""
    now = datetime.now(UTC)
    oldest = partitions.Month.of(now - timedelta(days=DAYS + SINCE + 1))
    partitions.ensure_months(oldest, partitions.Month.of(now).plus(partitions.MONTHS_AHEAD))
    couriers = [factories.courier_organisation(f"Courier {number}").pk for number in range(COURIERS)]
    merchants = [factories.merchant_organisation(f"Merchant {number}").pk for number in range(MERCHANTS)]
    with scope(Scope.everything()):
        # Their parcels are inserted by SQL.
        acquaint((merchant, courier) for merchant in merchants for courier in couriers)
    tiers = list(ServiceTier.objects.order_by("pk").values_list("pk", flat=True))
    cities = City.objects.filter(country="CN").order_by("-population", "code")
    places = list(cities.values_list("pk", flat=True)[:CITIES])
    lanes = [
        Lane(
            merchant,
            couriers[(m + c) % COURIERS],
            tiers[c % len(tiers)],
            places[(m + c) % CITIES],
            places[3 * c % CITIES],
        )
        for c in range(LANES_EACH)
        for m, merchant in enumerate(merchants[:SENDERS])
    ]
    return GrowthWorld(couriers, merchants, tiers, places, lanes)


def tidy() -> None:
    """Vacuum and analyze the tables, as autovacuum does after some quiet minutes."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = current_schema()::regnamespace AND relname ~ '^(parcels|slas)_'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"VACUUM (ANALYZE) {name}")


# --- history ---------------------------------------------------------------------------------

_EPOCH = int(EPOCH.timestamp() * 1000)
# One delivery in 25 is late. None is open, and none has credits: history needs no ledger.
_GROWN = f"""
CREATE TEMPORARY TABLE grown ON COMMIT DROP AS
SELECT ((extract(epoch FROM booked_at) * 1000)::bigint - {_EPOCH} << 22) + (hash & 4194303) AS id,
    merchant_id, courier_id, tier_id, origin_id, destination_id, booked_at, due_at,
    booked_at + interval '8 hours' AS pickup_by, (due_at + interval '8 hours')::date AS due_date,
    booked_at + interval '3 hours' AS picked_up_at, booked_at + interval '6 hours' AS departed_at,
    due_at - interval '16 hours' AS arrived_at, due_at - interval '11 hours' AS out_for_delivery_at,
    due_at - interval '10 hours' + (hash >> 24 & 1023) / 1024.0 * interval '10 hours 25 minutes'
        AS delivered_at
FROM (
    SELECT l.*, booked_at, hashint8extended(n, %(seed)s) & {2**63 - 1} AS hash,
        date_trunc('day', booked_at + interval '8 hours') + l.tier_id * interval '1 day'
            + interval '12 hours' AS due_at
    FROM (
        SELECT n, %(first)s + (n - 0.5) / %(count)s * (%(last)s - %(first)s) AS booked_at
        FROM generate_series(1, %(count)s) AS n
    ) AS booked
    JOIN unnest(%(merchant_id)s::bigint[], %(courier_id)s::bigint[], %(tier_id)s::int[],
        %(origin_id)s::int[], %(destination_id)s::int[]) WITH ORDINALITY
        AS l (merchant_id, courier_id, tier_id, origin_id, destination_id, place)
        ON l.place = 1 + n %% %(lanes)s
) AS x
"""
_PARCELS = """
INSERT INTO parcels_parcel (id, merchant_id, courier_id, tier_id, origin_id, destination_id, source,
    reference, recipient_name, recipient_phone, recipient_address, weight_g, fee_fen, booked_at, ready_at,
    pickup_by, deliver_by, status, status_at, last_scan_at, picked_up_at, departed_at, arrived_at,
    out_for_delivery_at, delivered_at, corrected)
SELECT id, merchant_id, courier_id, tier_id, origin_id, destination_id, 'api',
    '', 'Recipient', '13800000000', 'West Lake road 88', 800, 1250, booked_at, booked_at,
    pickup_by, due_at, 'delivered', delivered_at, delivered_at, picked_up_at, departed_at, arrived_at,
    out_for_delivery_at, delivered_at, false
FROM grown
"""
_COMMITMENTS = """
INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
    due_at, due_date, ready_at, fee_fen, outcome, reached_at, excused, excuse_reason, picked_up_at,
    departed_at, arrived_at, out_for_delivery_at, attempted_at, delivered_at)
SELECT id, 'pickup', merchant_id, courier_id, tier_id, origin_id, destination_id,
    pickup_by, (pickup_by + interval '8 hours')::date, booked_at, NULL::int, 'met', picked_up_at, false, '',
    NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz,
    NULL::timestamptz
FROM grown
UNION ALL
SELECT id, 'delivery', merchant_id, courier_id, tier_id, origin_id, destination_id,
    due_at, due_date, booked_at, NULL, CASE WHEN delivered_at <= due_at THEN 'met' ELSE 'late' END,
    delivered_at, false, '', picked_up_at,
    departed_at, arrived_at, out_for_delivery_at, delivered_at, delivered_at
FROM grown
"""
_BREACHES = """
INSERT INTO slas_breach (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
    due_at, opened_at)
SELECT id, 'delivery', merchant_id, courier_id, tier_id, origin_id, destination_id, due_at, due_at
FROM grown WHERE delivered_at > due_at
"""
_LANE = "kind, tier_id, origin_id, destination_id, due_date"
_OUTCOMES = ("pending", "met", "late", "overdue", "void")
_COUNTED = (*_OUTCOMES, *COUNTS)
_SUMS = ", ".join(
    [f"count(*) FILTER (WHERE outcome = '{name}')" for name in _OUTCOMES]
    + [f"sum({name})" for name in COUNTS]
)
# Counted by the same expressions as in settlement and audit.
_JUDGED = f"""
CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
SELECT merchant_id, courier_id, {_LANE}, outcome,
    {", ".join(f"{counted(name, 'outcome')} AS {name}" for name in COUNTS)},
    array_remove(ARRAY[{", ".join(marks("outcome").values())}], NULL) AS marks,
    array_remove(ARRAY[{", ".join(sql_progress_marks("outcome").values())}], NULL) AS progress
FROM slas_commitment WHERE parcel_id IN (SELECT id FROM grown)
"""


def _add_history(world: GrowthWorld, count: int) -> None:
    last = datetime.now(UTC) - timedelta(days=SINCE)
    parameters: dict[str, object] = {
        "seed": world.commitments,
        "first": last - timedelta(days=DAYS),
        "last": last,
        "count": count,
        "lanes": len(world.lanes),
    }
    for name, column in zip(Lane._fields, zip(*world.lanes, strict=True), strict=True):
        parameters[name] = list(column)
    with scope(Scope.everything()):
        raw_rows("SET LOCAL synchronous_commit = off")
        raw_rows("SET LOCAL work_mem = '256MB'")
        raw_rows(_GROWN, parameters)
        for statement in (_PARCELS, _COMMITMENTS, _BREACHES, _JUDGED, *_summing_statements()):
            raw_rows(statement)
    fold_progress()
    tidy()


def _summing_statements() -> Iterator[str]:
    """Yield the statements that add the history to both grains of cells, and to the progress histograms."""
    yield from _grain("courier_id", "NULL::bigint", "courier_id")
    yield from _grain("merchant_id", "courier_id", "merchant_id, courier_id")
    yield _PROGRESS


def _grain(organisation: str, counterpart: str, by: str) -> Iterator[str]:
    yield f"""
    INSERT INTO slas_ontimerate AS r (organisation_id, counterpart_id, {_LANE}, {", ".join(_COUNTED)},
        excused, marks)
    SELECT {organisation}, {counterpart}, {_LANE}, {_SUMS}, 0,
        slas_concatenated(marks) FILTER (WHERE marks <> '{{}}')
    FROM judged GROUP BY {by}, {_LANE}
    ON CONFLICT (organisation_id, due_date, kind, tier_id, counterpart_id, origin_id, destination_id)
    DO UPDATE SET {", ".join(f"{name} = r.{name} + excluded.{name}" for name in _COUNTED)},
        marks = array_cat(r.marks, excluded.marks)
    """


_PROGRESS = """
INSERT INTO slas_progresstally (courier_id, tier_id, origin_id, destination_id, due_date, marks)
SELECT courier_id, tier_id, origin_id, destination_id, due_date, slas_concatenated(progress)
FROM judged WHERE progress <> '{}'
GROUP BY courier_id, tier_id, origin_id, destination_id, due_date
"""
