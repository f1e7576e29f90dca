"""The rules themselves. Each yields what to do instead; docs/statements.md has their names and reasons."""

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from django.apps import apps
from pglast.parser import ParseError

from alliance.database.placements import BY_PARCEL, LOCAL, REFERENCE
from tests.helpers.statement_rules.parsing import Level, Node, columns, levels_of, statements_of, walk

_MONTH = re.compile(r"_y\d{4}m\d\d$")
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?([s%])")


@dataclass(frozen=True)
class Fault:
    """A rule that a statement breaks, and what to do."""

    rule: str
    advice: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.advice}"


@dataclass
class Statement:
    """A parsed statement and its levels. `variables` are names that stand for values, as in a function."""

    node: Node
    variables: Set[str] = frozenset()

    @cached_property
    def levels(self) -> list[Level]:
        return levels_of(self.node)

    def is_value(self, node: Node) -> bool:
        """Whether an expression is the same for all rows: a constant or parameter, be it with a cast."""
        [(name, body)] = node.items()
        if name == "TypeCast":
            return self.is_value(body["arg"])
        if name == "ColumnRef":
            names = columns(body)
            return len(names) == 1 and names[0] in self.variables
        return name in ("A_Const", "ParamRef")


def place(table: str) -> str:
    """Return where a table is: "parcel", "reference", "local", or "" for one of PostgreSQL's own."""
    name = _MONTH.sub("", table)
    if name in BY_PARCEL:
        return "parcel"
    return "reference" if name in REFERENCE else "local" if name in LOCAL else ""


@cache
def views() -> set[str]:
    """Return the views of tables by parcel."""
    unmanaged = [model for model in apps.get_models() if not model._meta.managed]
    return {model._meta.db_table for model in unmanaged if hasattr(model, "parcel_id")}


def _by_parcel(level: Level) -> dict[str, str]:
    """Return alias -> column of the parcel's id of the level's tables by parcel."""
    named = {alias: _MONTH.sub("", table) for alias, table in level.tables.items()}
    return {alias: BY_PARCEL[table] for alias, table in named.items() if table in BY_PARCEL}


def _touches_parcels(node: Any) -> bool:
    return any(name == "RangeVar" and place(each["relname"]) == "parcel" for name, each in walk(node))


def _conjuncts(conditions: list[Node]) -> Iterator[Node]:
    for node in conditions:
        if "BoolExpr" in node and node["BoolExpr"]["boolop"] == "AND_EXPR":
            yield from _conjuncts(node["BoolExpr"]["args"])
        else:
            yield node


def _equalities(level: Level) -> Iterator[tuple[Node, Node]]:
    """Yield both sides of each `=` that holds for all rows of the level."""
    for node in _conjuncts(level.conditions):
        expression = node.get("A_Expr", {})
        if expression.get("kind") == "AEXPR_OP" and expression["name"] == [{"String": {"sval": "="}}]:
            yield expression["lexpr"], expression["rexpr"]


def _key(node: Node, keys: dict[str, str]) -> str | None:
    """Return the alias whose column of the parcel's id an expression is, without anything around it."""
    names = columns(node["ColumnRef"]) if "ColumnRef" in node else []
    if len(names) == 2 and keys.get(names[0]) == names[1]:
        return names[0]
    if len(names) == 1 and list(keys.values()).count(names[0]) == 1:
        return next(alias for alias, column in keys.items() if column == names[0])
    return None


def _end(statement: Statement, node: Node, keys: dict[str, str]) -> str | None:
    """Return what an equality ties a parcel's id to: a table, a value, or a column of something else."""
    if statement.is_value(node):
        return "="
    if (key := _key(node, keys)) is not None:
        return key
    return ".".join(columns(node["ColumnRef"])) if "ColumnRef" in node else None


def _is_pruned(statement: Statement, level: Level) -> bool:
    """Whether a level reads the rows of one parcel, whose id it is given."""
    keys = _by_parcel(level)
    return any(
        (_key(left, keys) and statement.is_value(right)) or (_key(right, keys) and statement.is_value(left))
        for left, right in _equalities(level)
    )


def _row_locks(statement: Statement) -> Iterator[str]:
    for level in statement.levels:
        if level.node.get("lockingClause") and _by_parcel(level) and not _is_pruned(statement, level):
            yield (
                "FOR UPDATE of tables by parcel only with `parcel_id = value`, one parcel at a time in the"
                " order of ids; or change rows by an UPDATE whose WHERE decides"
            )


def _copies(statement: Statement) -> Iterator[str]:
    for name, node in walk(statement.node):
        if name != "InsertStmt" or place(node["relation"]["relname"]) != "parcel" or "selectStmt" not in node:
            continue
        is_select = "valuesLists" not in node["selectStmt"]["SelectStmt"]
        if is_select and not node.keys() & {"returningList", "returningClause", "onConflictClause"}:
            yield "INSERT ... SELECT into a table by parcel needs RETURNING or ON CONFLICT"


def _empty_lists(statement: Statement) -> Iterator[str]:
    for level in statement.levels:
        for each in level.with_correlated():
            if each.kind == "select" and not each.node.keys() & {"targetList", "valuesLists"}:
                yield "EXISTS (SELECT 1 FROM ...), never an empty select list"


def _mixed_joins(statement: Statement) -> Iterator[str]:
    for level in statement.levels:
        tables = [table for each in level.with_correlated() for table in each.tables.values()]
        if level.kind == "insert":
            tables = tables[1:]
        places = {"parcel" if table in views() else place(table) for table in tables}
        if {"parcel", "local"} <= places:
            local = sorted({table for table in tables if place(table) == "local"})
            yield (
                f"a table by parcel stands beside {', '.join(local)}, which is on the coordinator: ask twice,"
                " read it in a CTE, or make it a reference table"
            )


def _loose_joins(statement: Statement) -> Iterator[str]:
    for level in statement.levels:
        if level.kind == "insert":
            continue
        keys: dict[str, str] = {}
        groups: dict[str, str] = {}
        members = list(level.with_correlated())
        for each in members:
            keys |= _by_parcel(each)
        if len(keys) < 2:
            continue
        for each in members:
            for left, right in _equalities(each):
                ends = _end(statement, left, keys), _end(statement, right, keys)
                if None not in ends and not keys.keys().isdisjoint(ends):
                    _join(groups, str(ends[0]), str(ends[1]))
            shared = [alias for alias, column in _by_parcel(each).items() if column in each.shared_columns]
            for alias in shared[1:]:
                _join(groups, shared[0], alias)
        if len({_group(groups, alias) for alias in keys}) > 1:
            tables = ", ".join(
                sorted(
                    table for each in members for table in each.tables.values() if place(table) == "parcel"
                )
            )
            yield f"tables by parcel are joined on the bare parcel's id: {tables}"


def _group(groups: dict[str, str], alias: str) -> str:
    while alias in groups:
        alias = groups[alias]
    return alias


def _join(groups: dict[str, str], one: str, other: str) -> None:
    one, other = _group(groups, one), _group(groups, other)
    if one != other:
        groups[one] = other


def _laterals(statement: Statement) -> Iterator[str]:
    for level in statement.levels:
        for inner in level.lateral:
            if inner.node.keys() & {"limitOffset", "limitCount"} and _by_parcel(inner):
                yield "no LATERAL with OFFSET or LIMIT over a table by parcel: join on the parcel's id"


def _correlated(statement: Statement) -> Iterator[str]:
    for level in statement.levels:
        for each in level.with_correlated():
            if not each.aliases or each.kind == "insert" or _by_parcel(each):
                continue
            # What is a query over a table by parcel itself goes to the workers with its subqueries.
            goes = any(place(table) == "parcel" for tables in each.derived.values() for table in tables)
            if not goes and any(_by_parcel(inner) for inner in each.correlated):
                yield "a subquery over a table by parcel names what is none around it: join them instead"


def _row_not_in(statement: Statement) -> Iterator[str]:
    for name, node in walk(statement.node):
        if name != "BoolExpr" or node["boolop"] != "NOT_EXPR":
            continue
        for argument in node["args"]:
            if "RowExpr" in argument.get("SubLink", {}).get("testexpr", {}):
                yield "(a, b) NOT IN (SELECT ...) as NOT EXISTS (SELECT 1 ... WHERE a = ... AND b = ...)"


def _system_columns(statement: Statement) -> Iterator[str]:
    if not _touches_parcels(statement.node):
        return
    for name, node in walk(statement.node):
        if name == "ColumnRef" and columns(node)[-1] in ("tableoid", "ctid"):
            yield f"{columns(node)[-1]} of a table by parcel is a shard's: say what is meant by its key"


def _moved_rows(statement: Statement) -> Iterator[str]:
    for level in statement.levels:
        if level.kind != "update" or place(level.target) != "parcel":
            continue
        column = BY_PARCEL[_MONTH.sub("", level.target)]
        if any(each["ResTarget"]["name"] == column for each in level.node["targetList"]):
            yield f"{column} says where a row is, and can't be changed: delete and insert"


def _settings(statement: Statement) -> Iterator[str]:
    for name, node in walk(statement.node):
        if name == "FuncCall" and node["funcname"][-1]["String"]["sval"] == "set_config":
            yield "set_config() does not reach the workers: Settings('SET LOCAL ...')"


_RULES: dict[str, Callable[[Statement], Iterator[str]]] = {
    "row-locks": _row_locks,
    "insert-select": _copies,
    "empty-list": _empty_lists,
    "mixed-join": _mixed_joins,
    "loose-join": _loose_joins,
    "lateral": _laterals,
    "correlated": _correlated,
    "row-not-in": _row_not_in,
    "system-column": _system_columns,
    "moved-row": _moved_rows,
    "set-config": _settings,
}
_SCHEMA = re.compile(r"(Create|Alter|Drop|Index|Rename|Comment|Grant|Reindex|View|Rule)\w*$")


def _message(nodes: list[Node]) -> Iterator[Fault]:
    """Yield what is wrong with the statements of one text, which is sent as one message."""
    names = [next(iter(node)) for node in nodes]
    if len(names) > 1 and any(
        name == "VariableSetStmt" and node[name].get("is_local")
        for name, node in zip(names, nodes, strict=True)
    ):
        yield Fault("settings", "settings before a statement are sent by Settings('SET LOCAL ...')")
    if len(names) > 1 and any(_SCHEMA.match(name) for name in names):
        yield Fault("schema-alone", "one change of the schema a message: a list of statements for RunSQL")


def placed(text: str) -> str:
    """Return a statement with the driver's placeholders as PostgreSQL's parser takes it."""
    return _PLACEHOLDER.sub(lambda match: "%" if match[2] == "%" else "$1", text)


def faults_of(text: str, *, variables: Set[str] = frozenset(), is_one: bool = True) -> list[Fault]:
    """Return what a text breaks, each once. What PostgreSQL would refuse breaks nothing."""
    try:
        nodes = statements_of(text)
    except ParseError:
        return []
    faults = list(_message(nodes)) if is_one else []
    for node in nodes:
        statement = Statement(node, variables)
        faults += [Fault(name, advice) for name, rule in _RULES.items() for advice in rule(statement)]
    return list(dict.fromkeys(faults))
