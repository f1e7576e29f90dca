"""Stored functions, whose statements are planned once per connection instead of once per call.

Planning a long statement takes far longer than running it for one row. PL/pgSQL caches the plans of a
function for the life of a connection. This works behind PgBouncer's transaction pooling, too, where a
statement prepared by a session might not exist on the next server connection.

A function is defined by its text in Python, and its name contains a hash of the text. So `migrate` creates
only missing ones, and during a deployment or a rollback processes of an older version still find theirs.
Plans are generic: partitions are pruned at the start of execution and not per row (see
`slas.commitments.sql.locked`), joins are hash joins unless a statement says otherwise, and JIT is off.

On a cluster a statement at home is more than one function: see `alliance.database.shard_functions`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import connections, transaction

from alliance.database import shard_functions
from alliance.database.cluster import is_distributed
from alliance.database.function_texts import FunctionText
from alliance.locks import Lock

# Planner settings of the generic plans. Merge joins whatever the scope says: see
# `alliance.tenancy.Scope.planning`.
_PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_nestloop": "off",
    "enable_mergejoin": "on",
    "jit": "off",
}


# Old versions that are kept: it is unknown which are still called, and they cost nothing. On a cluster each
# is a function for every shard.
_KEPT, _KEPT_ON_CLUSTER = 20, 3


@dataclass(frozen=True)
class StoredStatement:
    """A stored function, defined by its text.

    `body` is PL/pgSQL with `%(parameter)s` placeholders, as for the driver. `parameters` and `returns` map
    names to types. If a column of `returns` has the name of a table's column, the name means the table's.
    A stable function only reads, with the snapshot of the calling statement. Without `has_nested_loops` no
    join is a nested loop where another is possible: the planner does not know the length of an array, and
    assumes a short one. With them each row of an array is a look-up into an index, however large the table.
    `planning` has more of the planner's settings.
    What returns one value, and not rows, spares the server the collecting of them: its body ends in RETURN.
    A function of a few look-ups by key, without a join, is plain: to set what the planner may do, and to take
    that back, takes a fifth of its time.
    At home it runs where the shard is that its first parameter `home`, any parcel's id of that shard, belongs
    to. It may touch rows of this shard alone, only tables by parcel and reference tables, and says itself
    where ids come from: a shard's columns have no default. One server takes no notice of its home. Arrays are
    given as texts (`alliance.database.literals`), which is what a cluster sends on.
    What reads one parcel, which is its home, opens the parcel's scope itself there, unless there is one:
    called by `alliance.database.at_home.of_parcel`, it needs no transaction, which were two messages more.
    What returns NULL if its shard has moved away, and else never does, is called again in the same
    transaction without a savepoint, whose release would be one more message.
    What writes for one courier, its parameter `courier_id`, may be called without a transaction as well
    (`alliance.database.at_home.value_alone`). Told how long to wait for locks and how long to run, it opens
    the courier's scope unless there is one.
    """

    prefix: str
    parameters: Mapping[str, str]
    returns: Mapping[str, str]
    body: str
    is_stable: bool = False
    has_nested_loops: bool = False
    is_value: bool = False
    is_plain: bool = False
    at_home: bool = False
    planning: Mapping[str, str] = field(default_factory=dict)
    of_parcel: bool = False
    of_courier: bool = False
    null_if_moved: bool = False

    def __post_init__(self) -> None:
        if self.at_home and next(iter(self.parameters.items())) != ("home", "bigint"):
            raise ValueError(f"{self.prefix}: the first parameter of what runs at home is `home bigint`.")

    @cached_property
    def name(self) -> str:
        # A cluster sends something else on: see shard_functions. What it sends goes by the name, too.
        sent = " sent as text" if self.at_home else ""
        limited = ", with two limits" if self.of_courier else ""
        text = f"{self.text.definition}{sent}{limited}"
        return f"{self.prefix}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @cached_property
    def call(self) -> str:
        """Return the statement that calls the function with the same parameters."""
        arguments = ", ".join(f"%({name})s" for name in self.parameters)
        return f"SELECT {self._selected}{self.name}({arguments})"

    @cached_property
    def call_alone(self) -> str:
        """Return the call that needs no transaction on a cluster, with its limits: see `of_courier`."""
        return f"{self.call[:-1]}, %(lock_ms)s, %(statement_ms)s)"

    def call_with(self, number: int) -> str:
        """Return the call with its only parameter, a whole number, in it: the driver would take longer."""
        return f"SELECT {self._selected}{self.name}({int(number)})"

    @cached_property
    def _selected(self) -> str:
        return "" if self.is_value else "* FROM "

    @cached_property
    def text(self) -> FunctionText:
        # Refer to parameters by position: a name could be that of a column.
        body = self.body % {name: f"${place}" for place, name in enumerate(self.parameters, start=1)}
        columns = ", ".join(f"{name} {kind}" for name, kind in self.returns.items())
        nesting = {"enable_nestloop": "on"} if self.has_nested_loops else {}
        return FunctionText(
            parameters=tuple(self.parameters.values()),
            returns="".join(self.returns.values()) if self.is_value else f"TABLE ({columns})",
            is_stable=self.is_stable,
            settings={**({} if self.is_plain else {**_PLANNING, **nesting}), **self.planning},
            body=body,
        )

    def install(self, *, using: str = "default") -> None:
        """Create the function, and drop old versions. May run twice, concurrently, or be killed."""
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [Lock.INSTALL_STATEMENT.value])
            # Replacing it by the same text would invalidate the cached plans of all connections.
            if not self.is_installed(using=using):
                if is_distributed(using=using):
                    shard_functions.make(self, cursor)
                else:
                    cursor.execute(f"CREATE FUNCTION {self.name} {self.text.definition}")
            self._drop_old_versions(cursor, kept=_KEPT_ON_CLUSTER if is_distributed(using=using) else _KEPT)

    def is_installed(self, *, using: str = "default") -> bool:
        with connections[using].cursor() as cursor:
            if is_distributed(using=using):
                return shard_functions.are_made(self, cursor)
            cursor.execute("SELECT to_regproc(%s) IS NOT NULL", [self.name])
            return bool(cursor.fetchone()[0])

    def _drop_old_versions(self, cursor: Any, *, kept: int) -> None:
        cursor.execute(_OLD_VERSIONS, [self.name, f"^{self.prefix}_[0-9a-f]{{12}}$", kept])
        for (functions,) in cursor.fetchall():
            cursor.execute(f"DROP FUNCTION {functions}")


# Each with its functions of single shards. In the order of their ids, not of the selected name.
_OLD_VERSIONS = """
    SELECT (
        SELECT string_agg(f.oid::regprocedure::text, ', ') FROM pg_proc f
        WHERE f.proname ~ ('^' || p.proname || '(_[0-9]+)?$') AND f.pronamespace = p.pronamespace
    )
    FROM pg_proc p
    WHERE p.proname <> %s AND p.proname ~ %s AND p.pronamespace = current_schema()::regnamespace
    ORDER BY p.oid DESC OFFSET %s
"""

# The statements that `migrate` installs. Apps add theirs in AppConfig.ready.
STATEMENTS: list[StoredStatement] = []


def missing() -> list[StoredStatement]:
    """Return the statements that are not installed in the database, by the names of their functions."""
    with connections["default"].cursor() as cursor:
        shards = shard_functions.Shards.read(cursor).of_parcels if is_distributed() else ()
        cursor.execute("SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace")
        made = {name for (name,) in cursor.fetchall()}
    return [each for each in STATEMENTS if not made.issuperset(shard_functions.names_of(each, shards))]


def install_all(*, using: str = "default", **_signal: Any) -> None:
    """Install every statement; called after each `migrate`."""
    for statement in STATEMENTS:
        statement.install(using=using)
