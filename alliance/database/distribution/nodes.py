"""The servers of a cluster, and what each of them answers."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Node:
    host: str
    port: int
    is_coordinator: bool
    is_active: bool
    # Whether shards are placed on it.
    has_shards: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one node said to a statement: its only value as text, or why it failed."""

    node: str
    is_error: bool
    text: str

    def as_json(self) -> Any:
        return json.loads(self.text)


def rows(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def value(statement: str, parameters: Any = None) -> Any:
    return rows(statement, parameters)[0][0]


def has_extension() -> bool:
    return bool(value("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"))


def nodes() -> list[Node]:
    """Return the coordinator, if it was named, and the workers."""
    return [
        Node(*row)
        for row in rows(
            "SELECT nodename, nodeport, groupid = 0, isactive, shouldhaveshards FROM pg_dist_node"
            " WHERE noderole = 'primary' ORDER BY groupid"
        )
    ]


def workers() -> list[Node]:
    return [node for node in nodes() if not node.is_coordinator]


def ask_nodes(statement: str, *, workers_only: bool = False) -> list[Answer]:
    """Have every node execute a statement, as the role of this connection, and return what they said.

    On connections of Citus's own, so in no transaction of the caller's. They see shards, which others do not.
    """
    found = rows(
        "SELECT nodename || ':' || nodeport, NOT success, result"
        " FROM run_command_on_all_nodes(%s, true, false) JOIN pg_dist_node USING (nodeid)"
        " WHERE groupid > 0 OR NOT %s ORDER BY nodeid",
        [statement, workers_only],
    )
    return [Answer(*row) for row in found]


def answers_of_nodes(statement: str) -> list[tuple[str, str]]:
    """Return each node and its answer. Raises RuntimeError for the first that failed."""
    answers = ask_nodes(statement)
    for answer in answers:
        if answer.is_error:
            raise RuntimeError(f"{answer.node}: {answer.text}")
    return [(answer.node, answer.text) for answer in answers]


def json_of_nodes(statement: str) -> list[tuple[str, Any]]:
    return [(node, json.loads(text)) for node, text in answers_of_nodes(statement)]
