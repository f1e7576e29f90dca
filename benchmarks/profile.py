"""Profile of a scan: timers around the parts of a call, and the plan of its statement.

`python -m benchmarks profile` fills a database, sends batches over HTTP from one client, runs the same calls
in this process with timers around the parts, and splits the plans of one batch, as logged by auto_explain.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg2

from alliance.embedded.postgres import ROLE, SUPERUSER
from benchmarks import inside, scan_bodies
from benchmarks.clients import run_parallel
from benchmarks.database import print_progress
from benchmarks.plans import parts_of_plan
from benchmarks.scan_bodies import BATCH, RAMP, Lot, as_json
from benchmarks.scan_loads import JSON, PATH, over_http, statement_parameters
from benchmarks.world import Member, World
from parcels.scans import sql

BATCHES = 10
# The measured functions, from outer to inner. Each is counted without the others that it calls.
PARTS: dict[str, str] = {
    "alliance.web.middleware.actor_of_key": "API key: who asks",
    "alliance.api.throttling.take": "calls a minute, counted in Valkey",
    "parcels.api.scans.read_body": "reading the body",
    "parcels.api.scans.read_json": "JSON to lines (msgspec)",
    "parcels.scans.batch.ScanBatch.__init__": "judging each line, naming its event",
    "parcels.scans.batch.ScanBatch.parameters": "laying lines out in columns",
    "parcels.scans.services._write": "sending columns, reading the answer",
    "django.db.backends.base.base.BaseDatabaseWrapper.commit": "commit, to the disk",
}
_MIDDLEWARE = "middleware, DRF, scope"
_HTTP = "gunicorn, sockets, the client's own time"
_STATEMENT, _PLANNING = "the statement, run", "the statement, planned"


def measure(world: World) -> dict[str, Any]:
    """Return the parts of a call (`profile`) and of its statement (`plan`)."""
    courier = world.couriers[0]
    count = scan_bodies.parcels_needed(BATCHES)
    lot = Lot(world.parcels(courier, count), BATCHES, 0, RAMP, BATCHES)
    http = run_parallel(over_http, [(world.port, courier, lot)])
    inside = _inside(courier, world.parcels(courier, count))
    plan, planning, execution = _plan(world, courier, world.parcels(courier, scan_bodies.parcels_needed(1)))
    scans = BATCHES * BATCH
    parts = {name: 1e6 * seconds / scans for name, seconds in inside.items()}
    total = sum(parts.values())
    parts[_PLANNING], parts[_STATEMENT] = planning, execution
    write_part = PARTS["parcels.scans.services._write"]
    parts[write_part] = max(0.0, parts[write_part] - planning - execution)
    order = [
        _HTTP,
        _MIDDLEWARE,
        *list(PARTS.values())[:-2],
        write_part,
        _PLANNING,
        _STATEMENT,
        *list(PARTS.values())[-1:],
    ]
    parts[_HTTP] = max(0.0, 1e6 * http.seconds / http.items - total)
    return {"profile": [{"where": name, "us": parts.get(name, 0.0)} for name in order], "plan": plan}


def _inside(courier: Member, parcels: list[int]) -> dict[str, float]:
    """Call the application in this process, like gunicorn; return seconds per part."""
    app = inside.application()
    headers = {"CONTENT_TYPE": JSON, "HTTP_AUTHORIZATION": f"Bearer {courier.token}"}
    bodies = [as_json(lines) for lines in scan_bodies.batches(parcels, BATCHES)]
    for body in bodies[:RAMP]:
        inside.call(app, PATH, body=body, **headers)
    with inside.measure_parts(PARTS) as clock:
        for body in bodies[RAMP:]:
            with clock.part(_MIDDLEWARE):
                inside.call(app, PATH, body=body, **headers)
    return clock.seconds


def _plan(world: World, courier: Member, parcels: list[int]) -> tuple[Sequence[dict[str, Any]], float, float]:
    """Return the statement's parts, and the microseconds per scan of planning and execution."""
    now = datetime.now(UTC)
    [*first, last] = [statement_parameters(lines, courier, now) for lines in scan_bodies.batches(parcels, 1)]
    connection, may_look = _explaining(world)
    set_scope = f"SET LOCAL alliance.scope = 'courier:{courier.organisation_id}'"
    for params in first:
        with connection, connection.cursor() as cursor:
            cursor.execute(set_scope)
            cursor.execute(sql.RECORD, params)
    with connection, connection.cursor() as cursor:
        cursor.execute(set_scope)
        # Once without timing of each node, and rolled back; then with it.
        cursor.execute("SAVEPOINT before")
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql.RECORD}", last)
        [plain] = cursor.fetchone()[0]
        cursor.execute("ROLLBACK TO before")
        if may_look:
            cursor.execute("RESET ROLE; SET auto_explain.log_min_duration = '1ms'")
            cursor.execute(f"SET ROLE {ROLE}")
        cursor.execute(sql.RECORD, last)
    plans = [json.loads(notice[notice.index("{") :]) for notice in connection.notices if "plan:" in notice]
    connection.close()
    parts = [part for plan in plans if "CTE" in str(plan) for part in parts_of_plan(plan, scans=BATCH)]
    return parts, plain["Planning Time"] * 1000 / BATCH, plain["Execution Time"] * 1000 / BATCH


def _explaining(world: World) -> tuple["psycopg2.extensions.connection", bool]:
    """Connect as the application's role, with auto_explain for functions if the server is embedded."""
    try:
        connection = psycopg2.connect(**{**world.parameters, "user": SUPERUSER})
        with connection, connection.cursor() as cursor:
            cursor.execute("LOAD 'auto_explain'")
            for name, value in _AUTO_EXPLAIN.items():
                cursor.execute(f"SET {name} = '{value}'")
            # This needs a superuser, so it only sets the parameters, and then switches to the role.
            cursor.execute(f"SET ROLE {ROLE}")
    except psycopg2.Error:
        print_progress("no superuser here: the statement is not taken apart")
        return world.connect(), False
    return connection, True


_AUTO_EXPLAIN = {
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_wal": "on",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_parameter_max_length": "0",
    "client_min_messages": "log",
}
