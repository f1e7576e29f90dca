"""Django's backend, in the module that ENGINE requires; see the package."""

from typing import Any

from django.db import connections
from django.db.backends.postgresql import base, operations
from psycopg2 import OperationalError

from alliance.database import cluster
from alliance.database.literals import written
from alliance.database.postgresql import hosts
from alliance.database.postgresql.messages import Connection, Cursor, Savepoint
from alliance.database.postgresql.schema import DatabaseSchemaEditor
from alliance.database.postgresql.silence import WATCH, Demoted, answers_within

# Of the client's side, and of the network between: the kernel ends a connection whose other end has gone.
LIMITS = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class DatabaseOperations(operations.DatabaseOperations):
    def savepoint_create_sql(self, sid: str) -> str:
        return Savepoint(super().savepoint_create_sql(sid))

    def savepoint_commit_sql(self, sid: str) -> str:
        return Savepoint(super().savepoint_commit_sql(sid))

    def last_executed_query(self, cursor: Cursor, sql: Any, params: Any) -> str:
        return cursor.statement


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor

    def get_connection_params(self) -> dict[str, Any]:
        watched = {"connection_factory": Connection, "cursor_factory": Cursor}
        return {**LIMITS, **super().get_connection_params(), **watched}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        with WATCH.connecting(conn_params):
            places = hosts.in_order(conn_params, silent=WATCH.silent_places)
            if len(places) == 1:
                return super().get_new_connection(conn_params)
            connection = self._connect_to_one_of(conn_params, places)
        hosts.prefer(conn_params, connection.place)
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        # Asked while no statement waits. What only makes or drops databases has no alias of its own.
        if self.alias in connections:
            self.connection.is_distributed = cluster.is_distributed(using=self.alias)
            if self.connection.is_distributed and not WATCH.fences.are_known:
                WATCH.fences.note_first(cluster.fences(using=self.alias))

    def _connect_to_one_of(self, conn_params: dict[str, Any], places: list[hosts.Place]) -> Any:
        """Return a connection that can be written to; raises Demoted if there are only others.

        Each server is asked itself: to libpq, a pooler tells what its server was when it last looked.
        """
        refusals, kind = [], OperationalError
        for place in places:
            try:
                connection = super().get_new_connection(hosts.at(conn_params, place))
                WATCH.note_life(place)
                # A pooler is connected to at once, and may wait for its server.
                with answers_within(LIMITS["connect_timeout"]):
                    is_read_only = _is_read_only(connection)
            except OperationalError as error:
                refusals.append(str(error).strip().split("\n")[0])
                continue
            if not is_read_only:
                connection.place = place
                return connection
            connection.close()
            refusals.append(f"server at {place[0]}, port {place[1]} can only be read")
            kind = Demoted
        raise kind("; ".join(refusals))

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows: a cursor of Django's, without what is around one.

        That takes as long as a short statement: each part is judged, wrapped and looked up by itself.
        """
        if self.queries_logged or self.execute_wrappers:
            with self.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        if self.connection is None or not self.health_check_done:  # type: ignore[attr-defined]
            self.close_if_health_check_failed()
            self.ensure_connection()
        self.validate_no_broken_transaction()
        if parameters is not None and (statement := written(sql, parameters)) is not None:
            sql, parameters = statement, None
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.tzinfo_factory = self.tzinfo_factory
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def _set_autocommit(self, autocommit: bool) -> None:
        self.connection.begins = not autocommit

    def is_usable(self) -> bool:
        """Whether the connection is usable; checked at the start of each request.

        The server sends nothing on an idle connection, except when it closes it or has a notice. So the
        round trip of `SELECT 1` is needed only when the socket has data to read. What became read-only
        says so unasked, and is not usable either.
        """
        if self.connection.closed or WATCH.is_silent(self.connection):
            return False
        if WATCH.fences.may_hang(self.connection):
            return False
        if self.connection.has_data() and not super().is_usable():
            return False
        return not self.connection.became_read_only


def _is_read_only(connection: Any) -> bool:
    # Without a transaction; Django sets this to what it wants right after.
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone()[0] == "on")
