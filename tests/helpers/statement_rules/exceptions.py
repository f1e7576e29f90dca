"""What may break the rules, and why: places to look at when the product moves to a cluster."""

from typing import Final

from alliance.database.stored_functions import STATEMENTS as STORED

_AT_HOME: Final = "runs on the shard's own tables"
# File of the product -> why the statements that it sends may.
STATEMENTS: Final[dict[str, str]] = {
    "parcels/scans/lost_parcels.py": _AT_HOME,
    "parcels/scans/services.py": _AT_HOME,
    "parcels/watch_list/services.py": _AT_HOME,
    "slas/commitments/services/settling.py": _AT_HOME,
    "slas/commitments/services/sweeping.py": _AT_HOME,
    "slas/excuses/services/permissions.py": _AT_HOME,
}
# Migrations that were there before anything was distributed, of several changes a message.
FIRST_SCHEMA: Final = {
    ("alliance", "0005_invitations"),
    ("couriers", "0003_functions"),
    ("slas", "0003_functions"),
}


def may_break_rules(function: str) -> bool:
    """Tell whether a function of the database is a stored statement that runs on the shard's own tables."""
    names = ("parcels_book", "parcels_record_scan", "parcels_record_scans", "parcels_refold")
    return any(
        function.startswith(f"{statement.prefix}_")
        for statement in STORED
        if getattr(statement, "at_home", False) or statement.prefix in names
    )
