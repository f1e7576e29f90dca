"""Stored statements on a cluster.

A statement at home is a function for each shard, on every worker: the same text with the shard's own tables,
which plain PostgreSQL plans once a connection. Under the statement's name is one that Citus sends to the
worker that holds the shard of its first argument. It holds the shard there, and calls the shard's function.

Citus makes and drops functions on the workers as on the coordinator, and makes them on workers that are added
later. So a shard that is moved finds its functions.

A shard is held because a row written into a table that has just been moved away would be lost: the old table
stays for a while. A lock alone is not enough, as the move may be over when it is granted; nor is a look at
where the shard is, as a move may be under way. With both, a move waits for those who write, and who comes too
late is refused.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from alliance.database.cluster import MOVED, holds_whole_homes
from alliance.database.function_texts import FunctionText, names_in, renamed
from alliance.database.placements import BY_PARCEL, LOCAL, REFERENCE, group_table
from alliance.tenancy import SETTING

if TYPE_CHECKING:
    from alliance.database.stored_functions import StoredStatement

# Locks as a shard's writers do (5 is SHARE), which only the owner of the tables may. What only reads takes no
# lock: until the table that was moved away is dropped, it has what the call's snapshot shows. The setting is
# for those who ask the worker itself, not the coordinator.
_HOLD = """
CREATE OR REPLACE FUNCTION {hold}(home bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_catalog, pg_temp AS $${source}$$
"""
_HOLD_NAME = "alliance_hold_shard"
# Whoever may call it can keep a shard from moving.
_HOLDERS = ("REVOKE EXECUTE ON FUNCTION {hold} FROM PUBLIC", "GRANT EXECUTE ON FUNCTION {hold} TO {server}")
_HOLD_SOURCE = """
-- For the server's role alone.
DECLARE
    shard CONSTANT bigint := get_shard_id_for_distribution_column('{table}', home);
    is_here boolean;
BEGIN
    -- As expressions, and not by PERFORM, which makes a query of each: that took half of the time.
    IF lock_shard_metadata(5, ARRAY[shard]) IS NULL
        OR set_config('citus.enable_manual_changes_to_shards', 'on', true) IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT groupid = (SELECT groupid FROM pg_dist_local_group) INTO is_here
    FROM pg_dist_placement WHERE shardid = shard;
    RETURN CASE WHEN is_here THEN shard END;
END
"""
_SHARDS = """
    SELECT c.relname, p.repmodel = 't', s.shardid, s.shardminvalue::integer
    FROM pg_dist_partition p
    JOIN pg_class c ON c.oid = p.logicalrelid
    JOIN pg_dist_shard s USING (logicalrelid)
    WHERE p.partmethod IN ('h', 'n') AND NOT c.relispartition
        AND c.relnamespace = current_schema()::regnamespace
    ORDER BY 4
"""
_MADE = """
    SELECT proname, md5(prosrc) FROM pg_proc
    WHERE proname ~ %s AND pronamespace = current_schema()::regnamespace
"""


@dataclass(frozen=True)
class Shards:
    """The ids of all tables' shards. Those of tables by parcel are in the same order."""

    by_parcel: Mapping[str, Sequence[int]]
    reference: Mapping[str, int]
    # The least hash of each shard.
    lows: Sequence[int] = ()
    # Of tables on the coordinator that Citus knows of.
    local: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Any) -> Self:
        by_parcel: dict[str, list[int]] = {}
        reference: dict[str, int] = {}
        local: dict[str, int] = {}
        lows = set()
        cursor.execute(_SHARDS)
        for table, is_reference, shard, low in cursor.fetchall():
            if low is None:
                (reference if is_reference else local)[table] = shard
            else:
                by_parcel.setdefault(table, []).append(shard)
                lows.add(low)
        return cls(by_parcel, reference, sorted(lows), local)

    @property
    def of_parcels(self) -> Sequence[int]:
        return self.by_parcel[group_table()]

    def names(self, place: int) -> dict[str, str]:
        """Return the name of each table's shard, as it is on the worker."""
        shards = {table: ids[place] for table, ids in self.by_parcel.items()} | dict(self.reference)
        return {table: f"{table}_{shard}" for table, shard in shards.items()}

    def names_on_coordinator(self) -> dict[str, str]:
        """Return the name of the table that holds the coordinator's rows, or its copy of them."""
        return {table: f"{table}_{shard}" for table, shard in {**self.reference, **self.local}.items()}


def problem_of(statement: "StoredStatement") -> str:
    """Return what a statement at home says that is wrong on a shard, "" if nothing."""
    body = statement.text.body
    copies, tables = "|".join(REFERENCE), "|".join([*BY_PARCEL, *REFERENCE])
    if elsewhere := sorted({*LOCAL}.intersection(names_in(body))):
        return f"{statement.prefix} runs at home, where there is no {', '.join(elsewhere)}."
    if written := re.search(rf"\b(?:INTO|UPDATE|DELETE FROM)\s+({copies})\b", body, re.IGNORECASE):
        return f"{statement.prefix} runs at home, where {written[1]} is one copy of many."
    if said := re.search(rf"'({tables})'", body):
        return f"{statement.prefix} runs at home, where {said[1]} has another name than in a text."
    if re.search(r"\bON\s+CONSTRAINT\b", body, re.IGNORECASE):
        return f"{statement.prefix} runs at home, where constraints have other names: name their columns."
    return ""


def make(statement: "StoredStatement", cursor: Any) -> None:
    """Make the functions of a statement, and drop those of shards that are no more."""
    if statement.at_home and (problem := problem_of(statement)):
        raise ImproperlyConfigured(problem)
    shards = Shards.read(cursor)
    if not holds_whole_homes(shards.lows):
        raise ImproperlyConfigured("shards must be 1, 2, 4 ... 64 equal parts: see alliance/homes.py.")
    texts, made = texts_of(statement, shards), _made(statement, cursor)
    if statement.at_home and _held(cursor) != _hold_digest():
        cursor.execute("SELECT quote_ident(current_schema()), quote_ident(%s)", [_server_role()])
        [(schema, server)] = cursor.fetchall()
        cursor.execute(_HOLD.format(hold=_HOLD_NAME, schema=schema, source=_hold_source()))
        for rights in _HOLDERS:
            cursor.execute(rights.format(hold=f"{_HOLD_NAME}(bigint)", server=server))
    if texts[statement.name].parameters != statement.text.parameters:
        # That of one server, which takes something else: both would go by the name.
        cursor.execute(f"DROP FUNCTION IF EXISTS {statement.name}({', '.join(statement.text.parameters)})")
    for name, text in texts.items():
        if made.get(name) != text.digest:
            cursor.execute(f"CREATE OR REPLACE FUNCTION {name} {text.definition}")
    for name in made.keys() - texts.keys():
        cursor.execute(f"DROP FUNCTION {name}")
    if statement.at_home:
        cursor.execute(
            "SELECT create_distributed_function(to_regproc(%s)::regprocedure, '$1',"
            " colocate_with := %s, force_delegation := true)",
            [statement.name, group_table()],
        )


def names_of(statement: "StoredStatement", shards: Sequence[int]) -> list[str]:
    """Return the names of a statement's functions: one of each shard, if it runs at home, and its own."""
    return [*(_name(statement, shard) for shard in shards if statement.at_home), statement.name]


def are_made(statement: "StoredStatement", cursor: Any) -> bool:
    """Tell whether a statement has the functions that it needs, and no others."""
    texts = texts_of(statement, Shards.read(cursor))
    if _made(statement, cursor) != {name: text.digest for name, text in texts.items()}:
        return False
    return not statement.at_home or _held(cursor) == _hold_digest()


def _made(statement: "StoredStatement", cursor: Any) -> dict[str, str]:
    cursor.execute(_MADE, [f"^{statement.name}(_[0-9]+)?$"])
    return dict(cursor.fetchall())


def _held(cursor: Any) -> str | None:
    cursor.execute(_MADE, [f"^{_HOLD_NAME}$"])
    return dict(cursor.fetchall()).get(_HOLD_NAME)


def _server_role() -> str:
    return str(settings.DATABASES["default"]["USER"])


def _hold_source() -> str:
    return _HOLD_SOURCE.format(table=group_table())


def _hold_digest() -> str:
    return hashlib.md5(_hold_source().encode(), usedforsecurity=False).hexdigest()


def texts_of(statement: "StoredStatement", shards: Shards) -> dict[str, FunctionText]:
    """Return the functions of a statement: those it calls before itself."""
    text = statement.text
    if not statement.at_home:
        return {statement.name: _on_coordinator(text, shards)}
    of_shards = {
        _name(statement, shard): replace(text, body=renamed(text.body, shards.names(place)))
        for place, shard in enumerate(shards.of_parcels)
    }
    return {**of_shards, statement.name: _sending(statement, shards)}


def _on_coordinator(text: FunctionText, shards: Shards) -> FunctionText:
    """Return a function that is called on the coordinator and stays there."""
    used = {*names_in(text.body)}
    if not used.isdisjoint(shards.by_parcel):
        # Citus plans with values only. A comment, so that what is there tells which it is.
        settings = text.settings and {**text.settings, "plan_cache_mode": "force_custom_plan"}
        return replace(text, settings=settings, body=f"-- planned with its values{text.body}")
    # Other tables are here, or a copy is. By the names of their shards plain PostgreSQL plans once a
    # connection; Citus would for each call, which took ten times as long as the call itself.
    names = shards.names_on_coordinator()
    if used.isdisjoint(names):
        return text
    settings = dict(text.settings)
    if used & {"INSERT", "UPDATE", "DELETE"}:
        settings["citus.enable_manual_changes_to_shards"] = "on"
    return replace(text, settings=settings, body=renamed(text.body, names))


def _sending(statement: "StoredStatement", shards: Shards) -> FunctionText:
    """Return the function that Citus sends to the shard's worker."""
    values = ", ".join(
        f"${place}::{kind}" if kind.endswith("[]") else f"${place}"
        for place, kind in enumerate(statement.text.parameters, start=1)
    )
    find = (
        f"get_shard_id_for_distribution_column('{group_table()}', $1)"
        if statement.is_stable
        else f"{_HOLD_NAME}($1)"
    )
    # What returns rows goes on behind them.
    end = "" if statement.is_value else " RETURN;"
    calls = {
        shard: f"RETURN {_selected(statement)}{_name(statement, shard)}({values});{end}"
        for shard in sorted(shards.of_parcels)
    }
    body = f"""
DECLARE
    shard bigint;
    setting text;
BEGIN{_opening(statement)}
    shard := {find};
    {_choice(calls)}
    {_refusal(statement)}
END"""
    return replace(statement.text, parameters=_sent(statement), settings={}, body=body)


def _sent(statement: "StoredStatement") -> tuple[str, ...]:
    """Return the types of what is sent on.

    An array goes as the text that it was given as: the coordinator would read each value and write it again.
    """
    given = tuple("text" if kind.endswith("[]") else kind for kind in statement.text.parameters)
    return (*given, "int DEFAULT NULL", "int DEFAULT NULL") if statement.of_courier else given


def _opening(statement: "StoredStatement") -> str:
    """Return what opens a scope, if there is no transaction of the coordinator's that has done so."""
    if statement.of_parcel:
        return f"""
    IF coalesce(current_setting('{SETTING}', true), '') = '' THEN
        setting := set_config('{SETTING}', 'parcel:' || $1, true);
    END IF;"""
    if not statement.of_courier:
        return ""
    courier = [*statement.parameters].index("courier_id") + 1
    lock_ms = len(statement.parameters) + 1
    # All transactions without a number are one to Citus's detector of deadlocks: it takes that of the session
    # on the coordinator, as a negative one, which none of the coordinator's has. The limit of a statement
    # would hold for the next one, that of a transaction holds at once, from PostgreSQL 17 on.
    return f"""
    IF ${lock_ms} IS NOT NULL THEN
        IF assign_distributed_transaction_id(0, -citus_backend_gpid(), clock_timestamp()) IS NULL THEN
            RETURN NULL;
        END IF;
        setting := set_config('lock_timeout', ${lock_ms}::text, true);
        IF current_setting('transaction_timeout', true) IS NOT NULL THEN
            setting := set_config('transaction_timeout', ${lock_ms + 1}::text, true);
        END IF;
        IF coalesce(current_setting('{SETTING}', true), '') = '' THEN
            setting := set_config('{SETTING}', 'courier:' || ${courier}, true);
        END IF;
    END IF;"""


def _refusal(statement: "StoredStatement") -> str:
    """Return what is said if the shard is not here, or has no function."""
    null = "IF shard IS NULL THEN RETURN NULL; END IF;\n    " if statement.null_if_moved else ""
    said = "the shard of % is not on this node, or has no functions yet: run manage.py migrate"
    return f"{null}RAISE EXCEPTION '{said}', $1 USING ERRCODE = '{MOVED}';"


def _choice(calls: Mapping[int, str]) -> str:
    """Return what makes the call of a shard: by halves, as each comparison takes a microsecond."""
    shards = [*calls]
    if len(shards) == 1:
        return f"IF shard = {shards[0]} THEN {calls[shards[0]]} END IF;"
    middle = shards[len(shards) // 2]
    low, high = ({s: calls[s] for s in shards if (s < middle) == is_low} for is_low in (True, False))
    return f"IF shard < {middle} THEN {_choice(low)} ELSE {_choice(high)} END IF;"


def _selected(statement: "StoredStatement") -> str:
    return "" if statement.is_value else "QUERY SELECT * FROM "


def _name(statement: "StoredStatement", shard: int) -> str:
    return f"{statement.name}_{shard}"
