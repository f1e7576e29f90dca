"""Actors, their capabilities, and the two layers that separate tenants.

The first layer is code: an `Actor` with capabilities, `require()`, and `visible_to()` of every queryset of
tenant data. The second is the database: forced row-level security, whose policies read the transaction's
setting `alliance.scope`. Without a scope no rows are visible.
"""

import getpass
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, cast

from django.db import connection, connections, migrations, models, transaction
from django.utils.translation import gettext as _

from alliance.capabilities import KEY_SCOPES, KIND_CAPABILITIES
from alliance.choices import Capability, OrganisationKind, OrganisationStatus
from alliance.database import cluster
from alliance.database.postgresql.messages import Settings, as_sent
from alliance.errors import KeyNotPermitted, NotAuthenticated, NotFound, NotPermitted
from alliance.key_scopes import capabilities_for
from alliance.sandboxes import LONGEST_LIVE_SCOPE, is_sandbox

if TYPE_CHECKING:
    # Imported by its module's name alone: the driver may not be needed.
    from alliance.database.postgresql.base import DatabaseWrapper

ActorKind = Literal["user", "api_key", "system", "anonymous"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a key with the right secret is nobody's: its program is told, others are not."""

    code: str
    detail: str
    api_key_id: int
    organisation_id: int
    # The secret would do, and only the place it was sent from does not.
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """The user, API key or program that calls a service."""

    kind: ActorKind = "anonymous"
    user_id: int | None = None
    api_key_id: int | None = None
    organisation_id: int | None = None
    organisation_kind: str = ""
    organisation_status: str = ""
    role: str = ""
    capabilities: frozenset[Capability] = field(default_factory=frozenset)
    # Staff who see all tenants' rows; what they may do with them is up to their capabilities.
    is_ops: bool = False
    # Also staff without any permission, who may do nothing.
    is_staff: bool = False
    label: str = ""
    # Of a key that has them, see alliance.key_scopes: what it may do depends on the route it calls.
    scopes: frozenset[str] | None = None
    # Of a key that was refused, whose actor is anonymous.
    refusal: Refusal | None = None

    @classmethod
    def system(cls, label: str) -> Self:
        """Return the actor of a task or command; `label` is its name."""
        return cls(kind="system", is_ops=True, capabilities=frozenset(Capability), label=label)

    @classmethod
    def command_line(cls) -> Self:
        """Return the actor of whoever runs a command of the server's."""
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            # A container's user may have no name.
            name = str(os.getuid())
        return cls.system(f"command line ({name})")

    @property
    def is_anonymous(self) -> bool:
        return self.kind == "anonymous"

    @property
    def is_courier(self) -> bool:
        return self.organisation_kind == OrganisationKind.COURIER

    @property
    def is_merchant(self) -> bool:
        return self.organisation_kind == OrganisationKind.MERCHANT

    @property
    def is_test(self) -> bool:
        return is_sandbox(self.organisation_id)

    @property
    def tenant_id(self) -> int:
        """The id of the actor's organisation; raises NotPermitted without one."""
        if self.organisation_id is None:
            raise NotPermitted
        return self.organisation_id

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities


ANONYMOUS = Actor()


def refusal_of_stranger(actor: Actor) -> NotAuthenticated | NotPermitted:
    """Return the error for an anonymous actor: of a key that was refused, the one that says why."""
    refusal = actor.refusal
    if refusal is None:
        return NotAuthenticated()
    refused = KeyNotPermitted if refusal.is_known else NotAuthenticated
    return refused(refusal.detail, code=refusal.code)


def require(actor: Actor, capability: Capability) -> None:
    """Raise NotAuthenticated or NotPermitted unless the actor has the capability."""
    if actor.is_anonymous:
        raise refusal_of_stranger(actor)
    if actor.can(capability):
        return
    if actor.organisation_status == OrganisationStatus.SUSPENDED:
        message = _("Your organisation is suspended. Contact the alliance's operations team.")
        raise NotPermitted(message, code="organisation_suspended")
    works = actor.kind == "api_key" and actor.organisation_status == OrganisationStatus.ACTIVE
    if works and capability in KIND_CAPABILITIES.get(actor.organisation_kind, frozenset()) & KEY_SCOPES:
        params = {"scope": str(capability.value)}
        raise NotPermitted(
            _("This needs a key with the permission “%(scope)s”: create one that has it.") % params
        )
    raise NotPermitted


@lru_cache(maxsize=10_000)
def kept_to(actor: Actor, needed: str | None) -> Actor:
    """Return the actor of a key with scopes on a route that needs one. Raises NotPermitted without it."""
    allowed = None if needed is None else capabilities_for(needed, actor.scopes or frozenset())
    if allowed is None:
        message = _("This needs a key with the scope “%(scope)s”: create one that has it.")
        if needed is None:
            message = _("No scope leads here: a person has to do this on the portal.")
        raise KeyNotPermitted(message % {"scope": needed}, code="missing_scope", members={"scope": needed})
    return replace(actor, capabilities=actor.capabilities & allowed)


def require_member(actor: Actor, capability: Capability) -> None:
    """Raise like `require()`, and NotFound for staff: pages about one's own organisation are not theirs."""
    require(actor, capability)
    if actor.organisation_id is None:
        raise NotFound(_("This page belongs to an organisation. Staff find all of them in the admin."))


# --- row-level security ----------------------------------------------------------------------

SETTING = "alliance.scope"


class _Limits(NamedTuple):
    """Limits of lock waits and statements, in milliseconds, and as settings."""

    lock_ms: int = 0
    statement_ms: int = 0
    settings: str = ""


_current: ContextVar[str] = ContextVar("alliance_scope", default="")
# Planner settings that allow plans with a sort.
_SORT_SETTINGS = ("enable_sort", "enable_bitmapscan", "enable_seqscan")
_NO_LIMITS = _Limits()
_limits: ContextVar[_Limits] = ContextVar("alliance_limits", default=_NO_LIMITS)
# Numbers, and prefixes of keys.
_PLAIN = re.compile(r"[0-9A-Za-z:_]*").fullmatch


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows a transaction may see, as the text that the policies compare."""

    value: str = ""

    @property
    def literal(self) -> str:
        """The value as SQL. Raises ValueError for one that would need an escape: none of ours does."""
        if not _PLAIN(self.value):
            raise ValueError(f"{self.value!r} is no scope")
        return f"'{self.value}'"

    @property
    def is_sandbox(self) -> bool:
        return self.value.startswith("merchant:") and len(self.value) > LONGEST_LIVE_SCOPE

    @property
    def planning(self) -> str:
        """Planner settings of the scope, to be sent behind it.

        No merge joins for a member: one that joins a few rows with organisations expects to end at the
        greatest of their ids, and looks for one row more. That may be millions of rows on, as the planner
        does not know that the policy shows nearly none.
        """
        return "" if self.value in ("", "all") else "; SET LOCAL enable_mergejoin = off"

    @classmethod
    def everything(cls) -> Self:
        return cls("all")

    @classmethod
    def nothing(cls) -> Self:
        return cls("")

    @classmethod
    def merchant(cls, organisation_id: int) -> Self:
        return cls(f"merchant:{int(organisation_id)}")

    @classmethod
    def courier(cls, organisation_id: int) -> Self:
        return cls(f"courier:{int(organisation_id)}")

    @classmethod
    def parcel(cls, parcel_id: int) -> Self:
        return cls(f"parcel:{int(parcel_id)}")

    @classmethod
    def user(cls, user_id: int) -> Self:
        return cls(f"user:{int(user_id)}")

    @classmethod
    def key(cls, prefix: str) -> Self:
        return cls(f"key:{prefix}")

    @classmethod
    def of(cls, actor: Actor) -> Self:
        """Return the narrowest scope that the actor's work needs."""
        if actor.is_ops or actor.is_staff:
            return cls.everything()
        if actor.is_courier and actor.organisation_id:
            return cls.courier(actor.organisation_id)
        if actor.is_merchant and actor.organisation_id:
            return cls.merchant(actor.organisation_id)
        return cls.user(actor.user_id) if actor.user_id else cls.nothing()


@contextmanager
def scope(to: Scope) -> Iterator[None]:
    """Run a block in one transaction with the scope `to`; afterwards the outer scope is restored.

    A block that raises is rolled back (to a savepoint if nested), including its scope.
    """
    is_nested = connection.in_atomic_block
    outer = _current.get() if is_nested else ""
    with transaction.atomic(durable=False):
        _set(to, limits="" if is_nested else _limits.get().settings)
        token = _current.set(to.value)
        try:
            yield
        finally:
            _current.reset(token)
        # Only on success: a rollback, like the end of a transaction, also reverts SET LOCAL.
        if is_nested and not connection.needs_rollback:
            _set(Scope(outer))


@contextmanager
def limited(*, statement_seconds: float, lock_seconds: float) -> Iterator[None]:
    """Limit the time of each statement, and of each lock wait, in the scopes opened inside.

    Not by session settings: behind PgBouncer, another client may get the session next.
    """
    token = _limits.set(_limits_of(statement_seconds, lock_seconds))
    try:
        yield
    finally:
        _limits.reset(token)


@lru_cache(maxsize=16)
def _limits_of(statement_seconds: float, lock_seconds: float) -> _Limits:
    lock_ms, statement_ms = int(lock_seconds * 1000), int(statement_seconds * 1000)
    settings = f"SET LOCAL statement_timeout = {statement_ms}; SET LOCAL lock_timeout = {lock_ms}; "
    return _Limits(lock_ms, statement_ms, settings)


def limits_ms() -> tuple[int, int]:
    """Return the limits of a lock wait and of a statement that hold now, in milliseconds; 0 for none."""
    limits = _limits.get()
    return limits.lock_ms, limits.statement_ms


def current_scope() -> Scope:
    """Return the scope that holds now."""
    return Scope(_current.get())


def _set(to: Scope, *, limits: str = "") -> None:
    # SET LOCAL instead of set_config(): Citus propagates only the former to its workers. Values consist of
    # integers and key prefixes, and are quoted by the driver anyway.
    with connection.cursor() as cursor:
        cursor.execute(Settings(f"{limits}SET LOCAL {SETTING} = %s{to.planning}"), [to.value])


@contextmanager
def in_index_order() -> Iterator[None]:
    """Make the planner scan an index in its order, and stop at the LIMIT.

    Because of the policies it estimates a few rows where there are a million, and would otherwise read and
    sort all of them for each page.
    """
    _allow("off")
    yield
    # Not after an error: the transaction of the settings has ended.
    _allow("on")


def _allow(switch: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(Settings("; ".join(f"SET LOCAL {name} = {switch}" for name in _SORT_SETTINGS)))


class TenantQuerySet(models.QuerySet[Any]):
    """A queryset of tenant data. Subclasses define in `visible_to_member` which rows a member sees."""

    # Whose the rows are: on a cluster, that tells where they may be.
    reader: Actor | None = None

    def visible_to(self, actor: Actor) -> Self:
        """Return the rows the actor may see; all others are 404 to the actor."""
        if actor.is_ops:
            return self
        if actor.organisation_id is None:
            return self.none()
        rows = self.visible_to_member(actor)
        rows.reader = actor
        return rows

    def _clone(self) -> Self:
        clone = super()._clone()  # type: ignore[misc]
        clone.reader = self.reader
        return clone

    def visible_to_member(self, actor: Actor) -> Self:
        """Default: rows of the actor's own organisation."""
        return self.filter(organisation_id=actor.organisation_id)


def row_policy(
    table: str,
    *,
    merchant: str = "",
    courier: str = "",
    parcel: str = "",
    user: str = "",
    key: str = "",
    also_read: str = "",
    also_write: str = "",
    own_writes: bool = True,
    instead: Mapping[str, str | None] = MappingProxyType({}),
) -> migrations.RunSQL:
    """Return the migration that enables forced row-level security on a table.

    Each keyword names the column that is compared with that kind of scope. `also_read` and `also_write` are
    additional SQL conditions with `{scope}`. Without `own_writes` only workers and ops may write. `instead`
    replaces the condition of `insert`, `update` or `delete`; None forbids the command. Use plain expressions
    only: Citus refuses subqueries in policies.
    """
    current = f"nullif(current_setting('{SETTING}', true), '')"
    columns = {"merchant": merchant, "courier": courier, "parcel": parcel, "user": user, "key": key}
    conditions = [f"{current} = 'all'"]
    conditions += [f"{current} = '{kind}:' || {column}" for kind, column in columns.items() if column]
    # The scope of the tracking page reads one parcel, and never writes.
    writers = (
        [condition for condition in conditions if "'parcel:'" not in condition]
        if own_writes
        else conditions[:1]
    )
    read = " OR ".join([*conditions, *([also_read.format(scope=current)] if also_read else [])])
    write = " OR ".join([*writers, *([also_write.format(scope=current)] if also_write else [])])
    replaced = {
        command: condition and condition.format(scope=current) for command, condition in instead.items()
    }
    insert, update, delete = (replaced.get(command, write) for command in ("insert", "update", "delete"))
    policies = {
        "read": f"FOR SELECT USING ({read})",
        "insert": insert and f"FOR INSERT WITH CHECK ({insert})",
        "update": update and f"FOR UPDATE USING ({update}) WITH CHECK ({update})",
        "delete": delete and f"FOR DELETE USING ({delete})",
    }
    by_name = {f"{table}_{name}": policy for name, policy in policies.items() if policy}
    forward = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        *(f"CREATE POLICY {name} ON {table} {policy}" for name, policy in by_name.items()),
    ]
    backward = [
        *(f"DROP POLICY {name} ON {table}" for name in by_name),
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    ]
    # A list, so that each is a message: a cluster takes no two changes of the schema in one.
    return migrations.RunSQL([*forward], [*backward])


def protected_tables() -> list[str]:
    """Return the tables (without partitions) with forced row-level security."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
            " AND NOT relispartition AND relnamespace = current_schema()::regnamespace ORDER BY relname"
        )
        return [row[0] for row in cursor.fetchall()]


def rows_in(
    to: Scope, sql: str, parameters: list[Any] | dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Run one query in its own scope and return its rows.

    Outside a transaction, all statements are sent in one message: PostgreSQL runs them as one transaction,
    which saves four round trips.
    """
    database = cast("DatabaseWrapper", connections["default"])
    if database.in_atomic_block:
        with scope(to):
            return database.rows(sql, parameters)
    settings = as_sent(
        f"{_limits.get().settings}SET LOCAL {SETTING} = {to.literal}", is_distributed=cluster.is_distributed()
    )
    return database.rows(f"{settings}; {sql}", parameters or None)


def raw_rows(sql: str, parameters: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Execute a statement in the current scope and return its rows."""
    return cast("DatabaseWrapper", connections["default"]).rows(sql, parameters)
