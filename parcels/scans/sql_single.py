"""The statement that stores a single scan, if it is a plain one, as nearly all are.

It does what `parcels/scans/sql.py` does with a batch of one, with the same expressions, in a fifth of the
time: the server takes longer to start the batch's statement than for all that it does to one row. What is
not plain is left to that one before anything is written: parcels that are not the courier's, times before
the booking, scans beyond the limit or stored before, and parcels that are folded from all their scans.

Text only; `parcels/scans/services.py` runs it. A test sends the same scans either way, and compares all that
is stored.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from parcels.choices import ScanCode
from parcels.scans.rules import MOST_SCANS
from parcels.scans.sql import (
    FOLDED,
    JOURNEY,
    MILESTONE_COLUMNS,
    MOVES_TO,
    NO_JOURNEY,
    PARCEL,
    RESTLESS,
    STATED_AT,
    STATUS,
    WHOLE,
    announcement,
    counted,
    precedence,
    times,
)
from slas.choices import CommitmentKind
from slas.commitments.sql import MILESTONES, settlement
from slas.commitments.sql_met import meeting

_LOCK: Final = f"""
    SELECT {PARCEL}
    INTO p
    FROM parcels_parcel p
    WHERE p.id = %(parcel_id)s AND coalesce(%(courier_id)s, p.courier_id) = p.courier_id
    FOR NO KEY UPDATE OF p;
    IF NOT FOUND OR stated_at < p.earliest OR p.scan_count >= {MOST_SCANS} THEN
        RETURN false;
    END IF;
    occurred_at := {counted("stated_at", "p")};"""  # noqa: S608 -- built of constants

# The scan wins if it is no earlier in the order of candidates than the parcel's status.
_WINS: Final = (
    f"p.status = 'booked' OR ({', '.join(precedence('t.status', 'occurred_at'))})"
    f" >= ({', '.join(precedence('p.status', 'p.status_at'))})"
)
_FOLD: Final = f"""
    SELECT 1 AS scans, {RESTLESS} AS is_restless, (code = '{ScanCode.DELIVERED}')::int AS deliveries,
        {STATUS} AS status, {times(of_one=True)}
    INTO t
    FROM (SELECT occurred_at, %(code)s AS code, %(reason)s AS reason, %(consent)s AS consent) AS written;
    IF coalesce({WHOLE}, false) THEN
        RETURN false;
    END IF;
    wins := {_WINS};
    SELECT {FOLDED}
    INTO f
    FROM (SELECT %(parcel_id)s AS parcel_id, false AS is_whole) AS judged
    CROSS JOIN (
        SELECT CASE WHEN wins THEN t.status ELSE p.status END AS status,
            CASE WHEN wins THEN occurred_at ELSE p.status_at END AS at
    ) AS w;"""  # noqa: S608 -- built of constants

_STORE: Final = f"""
    INSERT INTO parcels_scan (parcel_id, event_key, merchant_id, courier_id, code, occurred_at, received_at,
        stated_at, reason, facility, event_id, consent)
    VALUES (%(parcel_id)s, %(event_key)s, p.merchant_id, p.courier_id, %(code)s, occurred_at, %(now)s,
        nullif(stated_at, occurred_at), %(reason)s,
        CASE WHEN p.erased_at IS NOT NULL THEN '' ELSE %(facility)s END, %(event_id)s, %(consent)s)
    ON CONFLICT (parcel_id, event_key) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE parcels_parcel p
    SET {MOVES_TO},
        scan_count = f.scan_count
    WHERE p.id = %(parcel_id)s;
    IF f.status <> f.previous THEN{
    announcement("(SELECT f.parcel_id, f.merchant_id, f.courier_id, f.status, f.previous, f.status_at) x")
};
    END IF;"""  # noqa: S608 -- built of constants

_REACHED: Final = dict(
    zip(MILESTONES, [f"f.{name}" for name in f"reached_at, {JOURNEY}".split(", ")], strict=True)
)
# In the order in which all lock commitments. What is not simply met is settled as in a batch.
_SETTLE: Final = f"""
    sooner := f.is_sooner;
    earlier := f.is_earlier;
    IF sooner THEN{meeting(CommitmentKind.DELIVERY, parcel_id="%(parcel_id)s", times=_REACHED, record="met")}
        sooner := met.courier_id IS NULL;
    END IF;
    IF earlier AND NOT sooner THEN{
    meeting(
        CommitmentKind.PICKUP,
        parcel_id="%(parcel_id)s",
        times={"reached_at": "f.picked_up_at"},
        record="met",
    )
}
        earlier := met.courier_id IS NULL;
    END IF;
    IF earlier OR sooner THEN
        WITH milestones ({", ".join(MILESTONE_COLUMNS)}) AS (
            SELECT f.parcel_id, 'pickup', false, f.picked_up_at, {NO_JOURNEY} WHERE earlier
            UNION ALL
            SELECT f.parcel_id, 'delivery', false, {", ".join(_REACHED.values())} WHERE sooner
        ),
        {settlement(within="= %(parcel_id)s")}
        SELECT count(*) INTO settled FROM sla_changed;
    END IF;"""  # noqa: S608 -- built of constants

RECORD_SCAN: Final = StoredStatement(
    "parcels_record_scan",
    at_home=True,
    of_courier=True,
    parameters={
        "home": "bigint",
        "now": "timestamptz",
        "courier_id": "bigint",
        "parcel_id": "bigint",
        "event_key": "bigint",
        "microseconds": "bigint",
        "consent": "bool",
        "code": "text",
        "reason": "text",
        "facility": "text",
        "event_id": "text",
    },
    returns={"is_stored": "bool"},
    is_value=True,
    body=f"""
DECLARE
    stated_at timestamptz := {STATED_AT.format("%(microseconds)s")};
    occurred_at timestamptz;
    p record; t record; f record; met record;
    wins bool; sooner bool; earlier bool; settled int;
BEGIN{_LOCK}{_FOLD}{_STORE}{_SETTLE}
    RETURN true;
END""",
)
