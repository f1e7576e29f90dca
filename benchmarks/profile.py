"""Where each microsecond of a scan goes: timers around the parts of a call, and the plan of its statement.

`python -m benchmarks profile` fills a database, sends batches over HTTP from one client, runs the same
calls in this process with a clock at every part, and takes the plans of one batch apart, as auto_explain
tells them.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg2

from alliance.embedded.postgres import ROLE, SUPERUSER
from benchmarks import inside, scan_bodies
from benchmarks.bench_scans import JSON, PATH, over_http
from benchmarks.clients import together
from benchmarks.database import say
from benchmarks.plans import parts_of_plan
from benchmarks.scan_bodies import BATCH, RAMP, as_json
from benchmarks.world import Member, World
from parcels.scans import sql

BATCHES = 20
# What is looked at, from the outside in. Each is counted without what it calls of the others.
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


def measured(world: World) -> dict[str, Any]:
    """Return the parts of a call (`profile`) and those of its statement (`plan`)."""
    courier = world.couriers[0]
    needed = scan_bodies.parcels_needed(BATCHES)
    http = together(over_http, [(world.port, courier, world.parcels(courier, needed), BATCHES, JSON)])
    inside = _inside(courier, world.parcels(courier, needed))
    plan, planning, execution = _plan(world, courier, world.parcels(courier, scan_bodies.parcels_needed(1)))
    scans = BATCHES * BATCH
    parts = {name: 1e6 * seconds / scans for name, seconds in inside.items()}
    whole = sum(parts.values())
    parts[_PLANNING], parts[_STATEMENT] = planning, execution
    sent = PARTS["parcels.scans.services._write"]
    parts[sent] = max(0.0, parts[sent] - planning - execution)
    order = [
        _HTTP,
        _MIDDLEWARE,
        *list(PARTS.values())[:-2],
        sent,
        _PLANNING,
        _STATEMENT,
        *list(PARTS.values())[-1:],
    ]
    parts[_HTTP] = max(0.0, 1e6 * http.seconds / http.items - whole)
    return {"profile": [{"where": name, "us": parts.get(name, 0.0)} for name in order], "plan": plan}


def _inside(courier: Member, parcels: list[int]) -> dict[str, float]:
    """Call the application as gunicorn would, in this process; return seconds by part."""
    app = inside.application()
    asked = {"CONTENT_TYPE": JSON, "HTTP_AUTHORIZATION": f"Bearer {courier.token}"}
    bodies = [as_json(lines) for lines in scan_bodies.batches(parcels, BATCHES)]
    for body in bodies[:RAMP]:
        inside.call(app, PATH, body=body, **asked)
    with inside.clocked(PARTS) as clock:
        for body in bodies[RAMP:]:
            with clock.part(_MIDDLEWARE):
                inside.call(app, PATH, body=body, **asked)
    return clock.seconds


def _plan(world: World, courier: Member, parcels: list[int]) -> tuple[Sequence[dict[str, Any]], float, float]:
    """Return the statement's parts, and the microseconds a scan of planning and of running it."""
    from parcels.scans.batch import ScanBatch  # noqa: PLC0415 -- after django.setup()
    from parcels.scans.lines import read_json  # noqa: PLC0415

    now = datetime.now(UTC)
    [*first, last] = [
        ScanBatch(read_json(as_json(lines)), now=now).parameters(courier_id=courier.organisation_id)
        for lines in scan_bodies.batches(parcels, 1)
    ]
    connection, may_look = _explaining(world)
    scoped = f"SET LOCAL alliance.scope = 'courier:{courier.organisation_id}'"
    for given in first:
        with connection, connection.cursor() as cursor:
            cursor.execute(scoped)
            cursor.execute(sql.RECORD, given)
    with connection, connection.cursor() as cursor:
        cursor.execute(scoped)
        # Once without clocks in every node, and taken back; then with them.
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
    """Connect as the application's role, able to look into functions where the server is our own."""
    try:
        connection = psycopg2.connect(**{**world.parameters, "user": SUPERUSER})
        with connection, connection.cursor() as cursor:
            cursor.execute("LOAD 'auto_explain'")
            for name, value in _AUTO_EXPLAIN.items():
                cursor.execute(f"SET {name} = '{value}'")
            # What may look may do anything, so it looks only.
            cursor.execute(f"SET ROLE {ROLE}")
    except psycopg2.Error:
        say("no superuser here: the statement is not taken apart")
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
