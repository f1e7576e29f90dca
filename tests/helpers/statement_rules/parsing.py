"""A statement as the rules look at it: which tables stand beside each other, and under which conditions.

A statement falls apart into levels: each SELECT, UPDATE, DELETE or INSERT with what stands in its FROM. A
subquery or CTE is a level of its own, since Citus can run it by itself first; a subquery that names a table
of the level around it cannot be, and so belongs to that level.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import parser

Node = dict[str, Any]

# Name of a CTE -> the tables that it reads along with whoever reads it; none if it is read before.
Ctes = dict[str, frozenset[str]]

_STATEMENTS = {"SelectStmt": "select", "InsertStmt": "insert", "UpdateStmt": "update", "DeleteStmt": "delete"}


@dataclass
class Level:
    """One SELECT, INSERT, UPDATE or DELETE, without the levels inside."""

    kind: str
    node: Node
    # Alias -> table of each table in its FROM; what is written to comes first.
    tables: dict[str, str] = field(default_factory=dict)
    # Aliases of CTEs, subqueries and functions in its FROM -> the tables they read along with this level.
    derived: Ctes = field(default_factory=dict)
    # Its WHERE, and the conditions of its joins.
    conditions: list[Node] = field(default_factory=list)
    # Columns of USING.
    shared_columns: set[str] = field(default_factory=set)
    # Subqueries that name tables of this level.
    correlated: list["Level"] = field(default_factory=list)
    # Subqueries in FROM that do so.
    lateral: list["Level"] = field(default_factory=list)
    # What is written to.
    target: str = ""

    @property
    def aliases(self) -> set[str]:
        return {*self.tables, *self.derived}

    def with_correlated(self) -> Iterator["Level"]:
        yield self
        for level in self.correlated:
            yield from level.with_correlated()


def statements_of(text: str) -> list[Node]:
    """Return the parsed statements of a text; raises pglast's error for what PostgreSQL would refuse."""
    return [each["stmt"] for each in json.loads(parser.parse_sql_json(text)).get("stmts", [])]


def walk(node: Any) -> Iterator[tuple[str, Node]]:
    """Yield every named node inside."""
    if isinstance(node, list):
        for each in node:
            yield from walk(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name[0].isupper() and isinstance(value, dict):
                yield name, value
            yield from walk(value)


def levels_of(statement: Node) -> list[Level]:
    """Return the levels of a statement, each once; correlated subqueries are in the level around them."""
    reading = _Reading()
    reading.statement(statement, {}, None)
    return reading.levels


class _Reading:
    def __init__(self) -> None:
        self.levels: list[Level] = []

    def statement(self, node: Node, ctes: Ctes, outer: Level | None) -> list[Level]:
        """Read a statement inside of another; return the levels at its top (several in a UNION)."""
        [(name, body)] = node.items()
        if name not in _STATEMENTS:
            return []
        return self._body(_STATEMENTS[name], body, ctes, outer)

    def _body(self, kind: str, body: Node, ctes: Ctes, outer: Level | None) -> list[Level]:
        for cte in body.get("withClause", {}).get("ctes", []):
            expression = cte["CommonTableExpr"]
            name, is_apart = expression["ctename"], expression["ctematerialized"] == "CTEMaterializeAlways"
            if body["withClause"].get("recursive"):
                ctes = {**ctes, name: frozenset()}
            self.statement(expression["ctequery"], ctes, None)
            ctes = {**ctes, name: frozenset() if is_apart else _read_along(expression["ctequery"], ctes)}
        if "larg" in body:
            return [
                *self._body("select", body["larg"], ctes, outer),
                *self._body("select", body["rarg"], ctes, outer),
            ]
        level = Level(kind, body)
        self._from(level, body, ctes)
        self._subqueries(level, body, ctes)
        if outer is not None and _names(body) & (outer.aliases - level.aliases):
            outer.correlated.append(level)
        else:
            self.levels.append(level)
        return [level]

    def _from(self, level: Level, body: Node, ctes: Ctes) -> None:
        if relation := body.get("relation"):
            level.target = relation["relname"]
            level.tables[_alias(relation)] = relation["relname"]
        for item in [*body.get("fromClause", []), *body.get("usingClause", [])]:
            self._item(level, item, ctes)
        if "whereClause" in body:
            level.conditions.append(body["whereClause"])
        if level.kind == "insert" and "selectStmt" in body:
            self.statement(body["selectStmt"], ctes, None)

    def _item(self, level: Level, item: Node, ctes: Ctes) -> None:
        [(name, node)] = item.items()
        if name == "RangeVar":
            if node["relname"] in ctes and "schemaname" not in node:
                level.derived[_alias(node)] = ctes[node["relname"]]
            else:
                level.tables[_alias(node)] = node["relname"]
        elif name == "JoinExpr":
            self._item(level, node["larg"], ctes)
            self._item(level, node["rarg"], ctes)
            level.conditions.extend([node["quals"]] if "quals" in node else [])
            level.shared_columns |= {each["String"]["sval"] for each in node.get("usingClause", [])}
        elif name == "RangeSubselect":
            before = set(level.aliases)
            inner = self.statement(node["subquery"], ctes, None)
            if node.get("lateral"):
                level.lateral += [each for each in inner if _names(each.node) & before]
            level.derived[node.get("alias", {}).get("aliasname", "")] = _read_along(node["subquery"], ctes)
        else:
            level.derived[node.get("alias", {}).get("aliasname", "")] = frozenset()

    def _subqueries(self, level: Level, body: Node, ctes: Ctes) -> None:
        for link in _links({key: value for key, value in body.items() if key not in _READ_APART}):
            self.statement(link["subselect"], ctes, level)
        for condition in _join_conditions(body):
            for link in _links(condition):
                self.statement(link["subselect"], ctes, level)


# What `_from` reads, or what is a level of its own.
_READ_APART = {"withClause", "fromClause", "usingClause", "selectStmt", "larg", "rarg"}


def _links(node: Any) -> Iterator[Node]:
    """Yield the subqueries of an expression, not those inside of them."""
    if isinstance(node, list):
        for each in node:
            yield from _links(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "SubLink":
                yield value
                yield from _links(value.get("testexpr"))
            else:
                yield from _links(value)


def _join_conditions(body: Node) -> Iterator[Node]:
    for item in [*body.get("fromClause", []), *body.get("usingClause", [])]:
        for name, node in _joins(item):
            if name == "JoinExpr" and "quals" in node:
                yield node["quals"]


def _joins(item: Node) -> Iterator[tuple[str, Node]]:
    [(name, node)] = item.items()
    yield name, node
    if name == "JoinExpr":
        yield from _joins(node["larg"])
        yield from _joins(node["rarg"])


def _read_along(query: Node, ctes: Ctes) -> frozenset[str]:
    if query.get("SelectStmt", {}).keys() & {"limitCount", "limitOffset"}:
        return frozenset()
    names = [node["relname"] for name, node in walk(query) if name == "RangeVar"]
    return frozenset().union(*(ctes.get(name, {name}) for name in names))


def _names(node: Node) -> set[str]:
    """Return the aliases that columns inside are named with."""
    return {
        column[0] for name, each in walk(node) if name == "ColumnRef" and len(column := columns(each)) > 1
    }


def columns(reference: Node) -> list[str]:
    """Return a reference's parts: alias and column, or the column."""
    return [part["String"]["sval"] if "String" in part else "*" for part in reference.get("fields", [])]


def _alias(relation: Node) -> str:
    return str(relation.get("alias", {}).get("aliasname") or relation["relname"])
