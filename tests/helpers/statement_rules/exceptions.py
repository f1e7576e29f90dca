"""What may break the rules, and why: places to look at when the product moves to a cluster."""

from typing import Final

from alliance.database.stored_functions import STATEMENTS as STORED

# File of the product -> why the statements that it sends may.
STATEMENTS: Final[dict[str, str]] = {}
# Migrations that were there before anything was distributed, of several changes a message.
FIRST_SCHEMA: Final = {
    ("alliance", "0005_invitations"),
    ("couriers", "0003_functions"),
    ("slas", "0003_functions"),
}


def is_at_home(function: str) -> bool:
    """Tell whether a function of the database is a stored statement that runs on the shard's own tables."""
    return any(function.startswith(f"{statement.prefix}_") for statement in STORED if statement.at_home)
