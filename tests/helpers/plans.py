"""How PostgreSQL would run what the code under test sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from alliance.database.stored_functions import StoredStatement


@contextmanager
def plans_of(words: str) -> Iterator[list[str]]:
    """Collect the plans of statements with these words, each as it was when the statement ran."""
    plans: list[str] = []

    def explain(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if words in sql:
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}", parameters)
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(explain):
        yield plans


def plan_inside(statement: StoredStatement, *values: Any) -> str:
    """Return the plan of the only query of a stored statement, as its function would make it now."""
    return "\n".join(row[0] for row in explained(statement, *values))


def explained(statement: StoredStatement, *values: Any, options: str = "") -> list[tuple[Any, ...]]:
    """Return what EXPLAIN says of the only query of a stored statement."""
    query = statement.text.body.split("RETURN QUERY", 1)[1].rsplit(";", 1)[0]
    types = ", ".join(statement.text.parameters)
    explain = f"EXPLAIN ({options})" if options else "EXPLAIN"
    with transaction.atomic(), connection.cursor() as cursor:
        for name, value in statement.text.settings.items():
            cursor.execute(f"SET LOCAL {name} = '{value}'")
        cursor.execute(f"PREPARE inside ({types}) AS {query}")
        cursor.execute(f"{explain} EXECUTE inside ({', '.join(['%s'] * len(values))})", list(values))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.execute("DEALLOCATE inside")
    return rows
