"""Advisory locks of the database; all numbers are here so that no two are the same.

All are held until the end of the transaction. A lock `of` something, such as a work share or an organisation,
is a separate lock for each. Requests with an Idempotency-Key lock a hash of the key instead.
"""

from enum import IntEnum

from django.db import connection

from alliance.sandboxes import live_of


class Lock(IntEnum):
    """Operations that only one session may run at a time."""

    # Create a month of a partitioned table: a second CREATE TABLE of the same name would fail.
    MAKE_MONTH = 5_264_001
    # Mark commitments as overdue, of a share.
    SWEEP = 5_264_002
    # Add waiting tallies to the on-time rates, of a share.
    FOLD_TALLIES = 5_264_003
    # Add waiting progress marks to their histograms, of a share.
    FOLD_PROGRESS = 5_264_004
    # Create a stored statement, and drop its old versions.
    INSTALL_STATEMENT = 5_264_005
    # Refresh the watch list.
    REFRESH_WATCH_LIST = 5_264_007
    # Write the scorecards of a month.
    WRITE_SCORECARDS = 5_264_010
    # Request an export, of an organisation: two at once would not count each other.
    REQUEST_EXPORT = 5_264_011
    # Add a version of the scorecards' rules: two at once would get the same number.
    ADD_SCORE_RULES = 5_264_012
    # Invite a member, of an organisation or a user: two at once would not count each other.
    INVITE_FOR_ORGANISATION = 5_264_013
    INVITE_BY_USER = 5_264_014
    # Suspend or reinstate an organisation; bookings share it, so that none is made of who was just suspended.
    CHANGE_STANDING = 5_264_015
    # Book as a new merchant, of a merchant: two at once would not count each other's parcels.
    BOOK_AS_NEW = 5_264_016
    # Calculate credits: nothing may be added to the ledger between reading it and writing to it.
    WORK_OUT_CREDITS = 5_264_031
    # Close a month's statements; writers of entries share it, so that none is added to a closing month.
    CLOSE_BOOKS = 5_264_032
    # Mark silent parcels as lost: a second run would only wait for the row locks of the first.
    TRACE_LOST_PARCELS = 5_264_033
    # Spread couriers over homes: two at once would each give the same home away.
    SPREAD_HOMES = 5_264_034
    # Upload a booking file, of a merchant: two at once would not count each other.
    UPLOAD_BOOKING_FILE = 5_264_041
    # Book a slice of a booking file, of a merchant: each must see the bookings of the others.
    BOOK_SLICE = 5_264_042
    # Change a merchant's allocation rules: two at once would not see each other's.
    CHANGE_RULES = 5_264_051
    # Start a dry run, of a merchant: two at once would not see each other.
    START_DRY_RUN = 5_264_052
    # Save a recipient, in a merchant's address book: two at once would not count each other's.
    SAVE_RECIPIENT = 5_264_061
    # Make manifests, of a merchant: two at once would get the same number of the day.
    MAKE_MANIFEST = 5_264_062
    # Count freight: two at once would write a day's sums twice.
    COUNT_FREIGHT = 5_264_063
    # Fan events out to webhooks, of a shard: two at once would give one parcel's events the same place.
    FAN_OUT_WEBHOOKS = 5_264_071
    # Add an endpoint or a secret, of an organisation: two at once would not count each other.
    CHANGE_WEBHOOKS = 5_264_072
    # Begin a replay, of an organisation: two at once would not see each other.
    START_REPLAY = 5_264_073
    # Connect a shop, of a merchant: two at once would not count each other.
    CONNECT_SHOP = 5_264_081


def wait_for(lock: Lock, *, of: int | None = None, shared: bool = False) -> None:
    """Take a lock, waiting for it. Shared holders block only exclusive ones."""
    _call("pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock", lock, of)


def try_to_take(lock: Lock, *, of: int | None = None) -> bool:
    """Take a lock unless another session holds it; return whether it was taken."""
    return bool(_call("pg_try_advisory_xact_lock", lock, of))


def _call(function: str, lock: Lock, of: int | None) -> object:
    # Keys have 32 bits, of which ids of sandboxes have more: a sandbox takes its merchant's.
    keys = [lock.value] if of is None else [lock.value, live_of(of)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({', '.join(['%s'] * len(keys))})", keys)
        return cursor.fetchone()[0]
