"""Statements that are planned once a connection, not once a call: functions of the database.

Planning a long statement takes far longer than running it for one row. PL/pgSQL keeps the plans of a
function for as long as a connection lives, on the server's side of PgBouncer's transaction pooling, too,
where a statement prepared by a session would not be found again.

Such a function is made from its text in Python and named after it, so `migrate` need only make what is
missing, and while new versions are rolled out, or back, the processes of older ones find theirs. Plans are
generic: whatever is given, months are left out when a plan is started and not row by row (see
`slas.commitments.sql.locked`), joins are by hash, and nothing is compiled.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import connections, transaction

from alliance.locks import Lock

# How a plan that nobody looks at again must be made. Without nested loops, but where nothing else will do:
# not knowing how long an array is, the planner would take it for short.
_PLANNING = {"plan_cache_mode": "force_generic_plan", "enable_nestloop": "off", "jit": "off"}


# Versions that stay besides the one installed: nothing says which are still called. They cost nothing.
_KEPT = 20


@dataclass(frozen=True)
class StoredStatement:
    """A function of the database, by its text.

    `body` is PL/pgSQL over `%(parameter)s`, as if it were given to the driver. `parameters` and `returns`
    give names and types. Where a column of `returns` and one of a table share a name, the table's is meant.
    A stable one only reads, all of it as of the moment of the call.
    """

    prefix: str
    parameters: Mapping[str, str]
    returns: Mapping[str, str]
    body: str
    is_stable: bool = False

    @cached_property
    def name(self) -> str:
        return f"{self.prefix}_{hashlib.sha256(self._definition.encode()).hexdigest()[:12]}"

    @cached_property
    def call(self) -> str:
        """The statement to execute in its place, over the same parameters."""
        given = ", ".join(f"%({name})s" for name in self.parameters)
        return f"SELECT * FROM {self.name}({given})"  # noqa: S608 -- built of constants

    @cached_property
    def _definition(self) -> str:
        # By position: a parameter's name could be a column's.
        body = self.body % {name: f"${place}" for place, name in enumerate(self.parameters, start=1)}
        columns = ", ".join(f"{name} {kind}" for name, kind in self.returns.items())
        settings = " ".join(f"SET {name} = '{value}'" for name, value in _PLANNING.items())
        stability = " STABLE" if self.is_stable else ""
        return f"""({", ".join(self.parameters.values())}) RETURNS TABLE ({columns})
            LANGUAGE plpgsql{stability} {settings} AS $statement$
            #variable_conflict use_column
            {body}
            $statement$"""

    def install(self, *, using: str = "default") -> None:
        """Make the function, and drop those of long ago. May run twice, side by side, or be killed."""
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [Lock.INSTALL_STATEMENT.value])
            # Replaced by the same, it would have to be planned again by everybody.
            if not self.is_installed(using=using):
                cursor.execute(f"CREATE FUNCTION {self.name} {self._definition}")
            cursor.execute(
                # Not by what is selected, which would be their names.
                "SELECT p.oid::regprocedure::text FROM pg_proc p"
                " WHERE proname <> %s AND starts_with(proname, %s)"
                " AND pronamespace = current_schema()::regnamespace ORDER BY p.oid DESC OFFSET %s",
                [self.name, f"{self.prefix}_", _KEPT],
            )
            for (old,) in cursor.fetchall():
                cursor.execute(f"DROP FUNCTION {old}")

    def is_installed(self, *, using: str = "default") -> bool:
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT to_regproc(%s) IS NOT NULL", [self.name])
            return bool(cursor.fetchone()[0])


# What `migrate` installs. Apps add theirs when they are ready.
stored: list[StoredStatement] = []


def missing() -> list[StoredStatement]:
    """Return the statements that the database does not have."""
    return [statement for statement in stored if not statement.is_installed()]


def install_all(*, using: str = "default", **_signal: Any) -> None:
    """Install every statement; called after each `migrate`."""
    for statement in stored:
        statement.install(using=using)
