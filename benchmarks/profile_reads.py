"""Profile of a tracking call, compared to an empty view, in one process."""

import time
from typing import Any

from benchmarks import inside
from benchmarks.bench_tracking import EMPTY, JSON, some_numbers
from benchmarks.world import World

CALLS, WARM = 3_000, 500
# The measured functions, from outer to inner. Each is counted without the others that it calls.
PARTS: dict[str, str] = {
    "parcels.api.tracking.limit_by_address": "calls a minute of one address",
    "parcels.tracking.queries.of_parcel": "the statement: sent, waited for, read",
    "parcels.tracking.queries.track": "scans in their order, and a word on each",
    "slas.forecasts.curves.Curves.need": "curves of lane, courier and tier",
    "slas.forecasts.curves.Curves.forecast": "the forecast, of what is on its way",
    "parcels.api.tracking.tracking_json": "what is answered",
    "parcels.api.tracking._answer": "the rest of the view",
}
_EMPTY, _MORE = "all that an empty view takes", "more of the same, for a longer answer and a connection"


def measure(world: World) -> list[dict[str, Any]]:
    """Return the microseconds per call of each part; their sum is the time of a call."""
    app = inside.application()
    paths = [JSON.format(number) for number in some_numbers(world, CALLS + WARM)]
    for path in paths[:WARM]:
        inside.call(app, path)
        inside.call(app, EMPTY)
    empty = 0.0
    with inside.measure_parts(PARTS) as clock:
        for path in paths[WARM:]:
            with clock.part(_MORE):
                inside.call(app, path)
            # In turns, so that a slow minute of the machine affects both.
            begun = time.perf_counter()
            inside.call(app, EMPTY)
            empty += time.perf_counter() - begun
    seconds = {_EMPTY: empty, **clock.seconds, _MORE: max(0.0, clock.seconds[_MORE] - empty)}
    calls = len(paths) - WARM
    return [
        {"where": name, "us": 1e6 * seconds.get(name, 0.0) / calls}
        for name in (_EMPTY, _MORE, *PARTS.values())
    ]
