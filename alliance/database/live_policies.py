"""Policies that keep test parcels from everybody but their sandbox: see docs/test-mode.md.

They change the policies of `alliance.tenancy.row_policy` instead of adding restrictive ones: Citus sends
those to its workers as permissive, which would open every row.
"""

from collections.abc import Mapping
from typing import Final

from django.db import migrations

from alliance.sandboxes import OFFSET
from alliance.tenancy import SETTING

SCOPE: Final = f"nullif(current_setting('{SETTING}', true), '')"
_ALL: Final = f"{SCOPE} = 'all'"
_MERCHANT: Final = f"{SCOPE} = 'merchant:' || merchant_id"
_COURIER: Final = f"{SCOPE} = 'courier:' || courier_id"
_LIVE: Final = f"merchant_id < {OFFSET}"
COMMANDS: Final = ("read", "insert", "update", "delete")


def hide_tests(
    table: str,
    *,
    parcel: str = "",
    live: str = _LIVE,
    instead: Mapping[str, str | None] | None = None,
) -> migrations.RunSQL:
    """Hide the rows of sandboxes from workers, ops and couriers: a test parcel is its merchant's alone.

    So no sweep, count, list, export or file of theirs can hold one. The tracking page still reads it by its
    number. `live` is the condition that is new, and {live} in `instead`, which is as in row_policy.
    """

    def conditions(live: str) -> dict[str, str | None]:
        own = f"(({_ALL}) AND {live}) OR ({_MERCHANT}) OR (({_COURIER}) AND {live})"
        read = f"{own} OR ({SCOPE} = 'parcel:' || {parcel})" if parcel else own
        return dict.fromkeys(COMMANDS, own) | {"read": read} | _formatted(instead, live)

    return _change(table, before=conditions("true"), after=conditions(live))


def refuse_tests(table: str, instead: Mapping[str, str | None] | None = None) -> migrations.RunSQL:
    """Refuse rows of sandboxes in a table of counts, whoever writes them."""

    def conditions(live: str) -> dict[str, str | None]:
        own = f"(({_ALL}) OR ({_MERCHANT}) OR ({_COURIER})) AND {live}"
        return {"insert": own, "update": own} | _formatted(instead, live)

    return _change(table, before=conditions("true"), after=conditions(_LIVE))


def _formatted(instead: Mapping[str, str | None] | None, live: str) -> dict[str, str | None]:
    return {
        command: condition and condition.format(scope=SCOPE, live=live)
        for command, condition in (instead or {}).items()
    }


def _change(
    table: str, *, before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> migrations.RunSQL:
    # Lists, so that each is a message: a cluster takes no two changes of the schema in one.
    return migrations.RunSQL(
        *([*_altering(table, conditions)] for conditions in (after, before))  # type: ignore[arg-type]
    )


def _altering(table: str, conditions: Mapping[str, str | None]) -> list[str]:
    clauses = {
        "read": "USING ({0})",
        "insert": "WITH CHECK ({0})",
        "update": "USING ({0}) WITH CHECK ({0})",
        "delete": "USING ({0})",
    }
    return [
        f"ALTER POLICY {table}_{command} ON {table} {clauses[command].format(condition)}"
        for command, condition in conditions.items()
        if condition is not None
    ]
