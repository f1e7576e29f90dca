"""Who is asking, what they may touch, and the two walls that hold it.

The first wall is code: an `Actor` with capabilities, `require()`, and `visible_to()` on every
queryset of tenant data. The second is the database: forced row-level security that reads the
transaction's `alliance.scope`. No scope means no rows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self

from django.db import connection, migrations, models, transaction
from django.utils.translation import gettext as _

from alliance.choices import Capability, OrganisationKind, OrganisationStatus, Role
from alliance.errors import NotAuthenticated, NotPermitted

ActorKind = Literal["user", "api_key", "system", "anonymous"]
C = Capability

_VIEW = {C.VIEW_PARCELS, C.VIEW_OFFERS, C.VIEW_RATES}
_WORK = _VIEW | {C.BOOK_PARCELS, C.SEND_SCANS, C.CLAIM_EXCUSES, C.EXPORT, C.UNMASK}
_MANAGE = _WORK | {C.MANAGE_OFFERS, C.VIEW_FINANCE, C.MANAGE_KEYS, C.APPLY}

ROLE_CAPABILITIES: dict[str, frozenset[Capability]] = {
    Role.OWNER: frozenset(_MANAGE | {C.MANAGE_MEMBERS}),
    Role.MANAGER: frozenset(_MANAGE),
    Role.AGENT: frozenset(_WORK),
    Role.FINANCE: frozenset(_VIEW | {C.VIEW_FINANCE, C.EXPORT}),
    Role.VIEWER: frozenset(_VIEW),
}

# What the kind of organisation can do at all, whatever the role.
KIND_CAPABILITIES: dict[str, frozenset[Capability]] = {
    OrganisationKind.COURIER: frozenset(Capability) - {C.BOOK_PARCELS},
    OrganisationKind.MERCHANT: frozenset(Capability)
    - {C.SEND_SCANS, C.CLAIM_EXCUSES, C.VIEW_OFFERS, C.MANAGE_OFFERS, C.APPLY},
    OrganisationKind.OPERATOR: frozenset(Capability),
}

# Ops of a group look things up, and do besides what their group's permissions say.
DESK_CAPABILITIES = frozenset({C.VIEW_PARCELS, C.VIEW_RATES})

# A courier that is not (or no longer) a member works on its application and nothing else.
APPLICANT_CAPABILITIES = frozenset({C.APPLY, C.MANAGE_MEMBERS})

# What an API key can be given: keys never manage people or keys.
KEY_SCOPES = frozenset(Capability) - {C.MANAGE_MEMBERS, C.MANAGE_KEYS, C.APPLY, C.OPERATE}


def capabilities_of(*, kind: str, status: str, role: str) -> frozenset[Capability]:
    """Return what a member of that role may do in an organisation of that kind and status."""
    granted = ROLE_CAPABILITIES.get(role, frozenset()) & KIND_CAPABILITIES.get(kind, frozenset())
    if status == OrganisationStatus.ACTIVE:
        return granted
    return granted & APPLICANT_CAPABILITIES if status == OrganisationStatus.APPLICANT else frozenset()


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, or something, that asks for a piece of work."""

    kind: ActorKind = "anonymous"
    user_id: int | None = None
    api_key_id: int | None = None
    organisation_id: int | None = None
    organisation_kind: str = ""
    organisation_status: str = ""
    role: str = ""
    capabilities: frozenset[Capability] = field(default_factory=frozenset)
    is_ops: bool = False
    label: str = ""

    @classmethod
    def system(cls, label: str) -> Self:
        """Return the actor of tasks and commands; `label` names the one that asks."""
        return cls(kind="system", is_ops=True, capabilities=frozenset(Capability), label=label)

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
    def tenant_id(self) -> int:
        """The actor's organisation; raises NotPermitted for one who has none."""
        if self.organisation_id is None:
            raise NotPermitted
        return self.organisation_id

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities


ANONYMOUS = Actor()


def require(actor: Actor, capability: Capability) -> None:
    """Raise NotAuthenticated or NotPermitted unless the actor has the capability."""
    if actor.is_anonymous:
        raise NotAuthenticated
    if actor.can(capability):
        return
    works = actor.kind == "api_key" and actor.organisation_status == OrganisationStatus.ACTIVE
    if works and capability in KIND_CAPABILITIES.get(actor.organisation_kind, frozenset()) & KEY_SCOPES:
        said = {"scope": str(capability.value)}
        raise NotPermitted(
            _("This needs a key with the permission “%(scope)s”: create one that has it.") % said
        )
    raise NotPermitted


# --- the second wall -------------------------------------------------------------------------

SETTING = "alliance.scope"
_current: ContextVar[str] = ContextVar("alliance_scope", default="")
# Ways of the planner that end in a sort.
_SORTED_WAYS = ("enable_sort", "enable_bitmapscan", "enable_seqscan")
_limits: ContextVar[str] = ContextVar("alliance_limits", default="")


@dataclass(frozen=True, slots=True)
class Scope:
    """What the database lets a transaction see, as the text the policies compare with."""

    value: str = ""

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
        """Return the widest scope the actor's own work needs, and no wider."""
        if actor.is_ops:
            return cls.everything()
        if actor.is_courier and actor.organisation_id:
            return cls.courier(actor.organisation_id)
        if actor.is_merchant and actor.organisation_id:
            return cls.merchant(actor.organisation_id)
        return cls.user(actor.user_id) if actor.user_id else cls.nothing()


@contextmanager
def scope(to: Scope) -> Iterator[None]:
    """Run a block in one transaction that sees what `to` says; the outer scope comes back after.

    A block that raises is rolled back (to a savepoint when nested), scope included.
    """
    nested = connection.in_atomic_block
    outer = _current.get() if nested else ""
    with transaction.atomic(durable=False):
        _set(to.value, limits="" if nested else _limits.get())
        token = _current.set(to.value)
        try:
            yield
        finally:
            _current.reset(token)
        # Only on success: a block rolled back takes its SET LOCAL with it, as the end of a transaction does.
        if nested and not connection.needs_rollback:
            _set(outer)


@contextmanager
def limited(*, statement_seconds: float, lock_seconds: float) -> Iterator[None]:
    """Give each statement of the scopes opened inside so long, and each wait for a lock.

    Not settings of the session: behind PgBouncer it is somebody else's a moment later.
    """
    token = _limits.set(
        f"SET LOCAL statement_timeout = {int(statement_seconds * 1000)};"
        f" SET LOCAL lock_timeout = {int(lock_seconds * 1000)}; "
    )
    try:
        yield
    finally:
        _limits.reset(token)


def _set(value: str, *, limits: str = "") -> None:
    # A real SET LOCAL, not set_config(): Citus sends only the former to its workers. Values are
    # built from integers and key prefixes, and quoted by the driver all the same.
    with connection.cursor() as cursor:
        cursor.execute(f"{limits}SET LOCAL {SETTING} = %s", [value])


@contextmanager
def in_index_order() -> Iterator[None]:
    """Have the planner walk an index in its order, and stop when there is enough.

    Policies make it expect a handful of rows where there are a million: left alone, it reads and sorts
    all of them for each page.
    """
    _allow("off")
    yield
    # Not after an error: the transaction that the settings are of is over.
    _allow("on")


def _allow(switch: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {way} = {switch}" for way in _SORTED_WAYS))


class TenantQuerySet(models.QuerySet[Any]):
    """Reads of tenant data. Every subclass says who sees what in `visible_to`."""

    def visible_to(self, actor: Actor) -> Self:
        """Return the rows the actor may know of; everything else is 404 to them."""
        if actor.is_ops:
            return self
        if actor.organisation_id is None:
            return self.none()
        return self.visible_to_member(actor)

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
    """Return the migration that puts forced row-level security on a table.

    Each keyword names the column that is compared with that kind of scope. `also_read` and
    `also_write` are further SQL conditions, over `{scope}`. Without `own_writes` only workers and
    ops write. `instead` gives `insert`, `update` or `delete` another condition; None lets nobody.
    Plain expressions only: Citus refuses subqueries in policies.
    """
    current = f"nullif(current_setting('{SETTING}', true), '')"
    columns = {"merchant": merchant, "courier": courier, "parcel": parcel, "user": user, "key": key}
    own = [f"{current} = 'all'"]
    own += [f"{current} = '{kind}:' || {column}" for kind, column in columns.items() if column]
    # The tracking page's scope reads one parcel; it never writes.
    writers = [condition for condition in own if "'parcel:'" not in condition] if own_writes else own[:1]
    read = " OR ".join([*own, *([also_read.format(scope=current)] if also_read else [])])
    write = " OR ".join([*writers, *([also_write.format(scope=current)] if also_write else [])])
    others = {command: asked and asked.format(scope=current) for command, asked in instead.items()}
    insert, update, delete = (others.get(command, write) for command in ("insert", "update", "delete"))
    policies = {
        "read": f"FOR SELECT USING ({read})",
        "insert": insert and f"FOR INSERT WITH CHECK ({insert})",
        "update": update and f"FOR UPDATE USING ({update}) WITH CHECK ({update})",
        "delete": delete and f"FOR DELETE USING ({delete})",
    }
    made = {f"{table}_{name}": policy for name, policy in policies.items() if policy}
    forward = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        *(f"CREATE POLICY {name} ON {table} {policy}" for name, policy in made.items()),
    ]
    backward = [
        *(f"DROP POLICY {name} ON {table}" for name in made),
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    ]
    return migrations.RunSQL(";\n".join(forward), ";\n".join(backward))


def protected_tables() -> list[str]:
    """Return the tables (partitions left out) whose row-level security is on and forced."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
            " AND NOT relispartition AND relnamespace = current_schema()::regnamespace ORDER BY relname"
        )
        return [row[0] for row in cursor.fetchall()]


def rows_in(to: Scope, sql: str, parameters: list[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one read in a scope of its own and return its rows.

    Outside a transaction in one message: PostgreSQL takes its statements for one transaction, and the way
    there and back is spared four times.
    """
    if connection.in_atomic_block:
        with scope(to):
            return raw_rows(sql, parameters)
    if isinstance(parameters, dict):
        named = {"rows_in_scope": to.value, **parameters}
        return raw_rows(f"{_limits.get()}SET LOCAL {SETTING} = %(rows_in_scope)s; {sql}", named)
    return raw_rows(f"{_limits.get()}SET LOCAL {SETTING} = %s; {sql}", [to.value, *parameters])


def raw_rows(sql: str, parameters: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Run a statement in the current scope and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []
