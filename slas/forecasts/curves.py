"""The histograms forecasts are made from: read by groups, and remembered for a while."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from typing import Final

from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError

from alliance.database.literals import numbers
from alliance.database.stored_functions import StoredStatement
from alliance.tenancy import Scope, rows_in
from slas.commitments.histograms import MEASURE_STEP
from slas.forecasts.rules import (
    EMPTY,
    LOOK_BACK,
    Curve,
    Forecast,
    Group,
    Position,
    forecast,
    later_measures,
    measures_for,
)

Want = tuple[Group, int]

# Seconds the histograms of whole couriers and tiers are remembered in the cache: sums over many lanes, dear
# to make and slow to change, unless there are few parcels in them.
_REMEMBERED: Final = 300
_REMEMBERED_SETTLED: Final = 3 * 3600
_SETTLED: Final = 300
# The refresh makes them anew before they are forgotten, so that no page has to.
_RENEWED: Final = 3600
# Seconds a process goes on with what it knows, and how many histograms it keeps at hand.
_NEAR_SECONDS: Final = 300
_NEAR_MOST: Final = 8192
_near: dict[tuple[date, Want], tuple[float, Curve]] = {}

# One look into an index a group: by lane, by courier, by tier. The planner keeps to it because of LATERAL.
_FOUND: Final = f"""
SELECT w.n, h.mark / {MEASURE_STEP}, h.mark %% {MEASURE_STEP}, h.total FROM wanted w CROSS JOIN LATERAL (
    SELECT mark, sum(count)::bigint AS total
    FROM slas_progress, unnest(marks, counts) AS m (mark, count)
    WHERE {{within}} AND tier_id = w.tier AND due_date BETWEEN %(first)s AND %(last)s
        AND mark / {MEASURE_STEP} = ANY(w.measures)
    GROUP BY mark
) h WHERE {{asked}}"""  # noqa: S608 -- built of constants
_LANE: Final = (
    "origin_id = w.origin AND destination_id = w.destination"
    " AND (w.courier IS NULL OR courier_id = w.courier)"
)
_BY: Final = {
    "w.origin IS NOT NULL": _LANE,
    "w.origin IS NULL AND w.courier IS NOT NULL": "courier_id = w.courier",
    "w.origin IS NULL AND w.courier IS NULL": "true",
}
# Stored, as a tracking page of a lane that nobody asked for lately waits for it.
READ_CURVES: Final = StoredStatement(
    "slas_read_curves",
    parameters={
        "tier": "int[]",
        "courier": "bigint[]",
        "origin": "int[]",
        "destination": "int[]",
        "measures": "text[]",
        "first": "date",
        "last": "date",
    },
    returns={"place": "bigint", "measure": "int", "bin": "int", "total": "bigint"},
    body=f"""
BEGIN RETURN QUERY
WITH wanted AS (
    SELECT w.tier, w.courier, w.origin, w.destination, w.measures::int[] AS measures, w.n
    FROM unnest(%(tier)s, %(courier)s, %(origin)s, %(destination)s, %(measures)s)
        WITH ORDINALITY AS w (tier, courier, origin, destination, measures, n)
)
{" UNION ALL ".join(_FOUND.format(within=within, asked=asked) for asked, within in _BY.items())};
END""",  # noqa: S608 -- built of constants
)


class Curves:
    """Histograms by group and measure, as known at one moment; each is read at most once."""

    def __init__(self, *, now: datetime, renewing: bool = False) -> None:
        self._today = timezone.localdate(now)
        self._renewing = renewing
        self._now = now.timestamp()
        self._known: dict[Want, Curve] = {}
        self._forecast: dict[tuple[Position, datetime], Forecast] = {}

    def forecast(self, position: Position, *, now: datetime) -> Forecast:
        """Forecast a parcel from what has been read; parcels alike are forecast once."""
        key = position, now
        if key not in self._forecast:
            self._forecast[key] = forecast(position, now=now, curve_of=self._of)
        return self._forecast[key]

    def _of(self, group: Group, measure: int) -> Curve:
        return self._known.get((group, measure), EMPTY)

    def need(self, positions: Iterable[Position], *, now: datetime) -> None:
        """Read what forecasts of these parcels may ask for, all at once, in a scope of its own.

        Whoever asks, whole histograms are read, and leave only as forecasts: a courier learns when its
        parcel will come, not how others did.
        """
        wanted = {want for position in positions for want in _wants(position, now)} - self._known.keys()
        if not wanted:
            return
        if self._renewing:
            # The refresh reads lanes anew: there are many, and each is asked for once.
            self._known.update(self._fetched(wanted))
        else:
            self._known.update(self._at_hand(wanted))

    def _at_hand(self, wanted: Set[Want]) -> dict[Want, Curve]:
        """What this process knows; else what it can find out, which takes longer than using it."""
        found: dict[Want, Curve] = {}
        for want in wanted:
            at, curve = _near.get((self._today, want), (0.0, EMPTY))
            if 0 <= self._now - at < _NEAR_SECONDS:
                found[want] = curve
        missing = wanted - found.keys()
        if missing:
            fetched = self._fetched(missing)
            if len(_near) + len(fetched) > _NEAR_MOST:
                _near.clear()
            _near.update({(self._today, want): (self._now, curve) for want, curve in fetched.items()})
            found |= fetched
        return found

    def _fetched(self, wanted: Set[Want]) -> dict[Want, Curve]:
        """Those of whole couriers and tiers from the cache, lanes from the database: that is as quick."""
        found = self._in_cache([want for want in wanted if _is_coarse(want[0])])
        missing = wanted - found.keys()
        if missing:
            read = self._read(missing)
            self._remember({want: curve for want, curve in read.items() if _is_coarse(want[0])})
            found |= read
        return found

    def _read(self, wanted: Iterable[Want]) -> dict[Want, Curve]:
        measures: dict[Group, list[int]] = defaultdict(list)
        for group, measure in wanted:
            measures[group].append(measure)
        groups = list(measures)
        parameters = {
            "tier": numbers(group.tier_id for group in groups),
            "courier": numbers(group.courier_id for group in groups),
            "origin": numbers(group.origin_id for group in groups),
            "destination": numbers(group.destination_id for group in groups),
            "measures": [numbers(measures[group]) for group in groups],
            "first": self._today - LOOK_BACK,
            "last": self._today - timedelta(days=1),
        }
        bins: dict[Want, dict[int, float]] = {want: {} for want in wanted}
        # What a tracking page may read: how long couriers take, and nothing else of anybody.
        for place, measure, number, count in rows_in(Scope.parcel(0), READ_CURVES.call, parameters):
            bins[groups[place - 1], measure][number] = count
        return {want: Curve(found) for want, found in bins.items()}

    def _in_cache(self, wanted: Sequence[Want]) -> dict[Want, Curve]:
        if not wanted:
            return {}
        keys = {self._key(want): want for want in wanted}
        try:
            found = cache.get_many(keys)
        except (RedisError, ConnectionError):
            return {}
        oldest = self._now - _RENEWED if self._renewing else 0.0
        return {keys[key]: Curve(bins) for key, (at, bins) in found.items() if at >= oldest}

    def _remember(self, curves: Mapping[Want, Curve]) -> None:
        for settled in (False, True):
            kept = {
                self._key(want): (self._now, dict(curve.bins))
                for want, curve in curves.items()
                if (curve.total >= _SETTLED) == settled
            }
            try:
                cache.set_many(kept, _REMEMBERED_SETTLED if settled else _REMEMBERED)
            except (RedisError, ConnectionError):
                return

    def _key(self, want: Want) -> str:
        group, measure = want
        return f"curve:{self._today}:{measure}:" + ":".join(str(part or "") for part in group)


def forget_near() -> None:
    """Forget what this process has at hand; the cache keeps what it has."""
    _near.clear()


def forecast_for(position: Position, *, now: datetime) -> Forecast:
    """Forecast one parcel that has not been attempted; costs at most one query."""
    curves = Curves(now=now)
    curves.need([position], now=now)
    return curves.forecast(position, now=now)


def _wants(position: Position, now: datetime) -> Iterable[Want]:
    left = position.due_at - now
    for _basis, group in position.groups:
        for measure in measures_for(position.stage, left):
            yield group, measure
    for measure in later_measures(position.stage, left):
        yield Group(position.tier_id), measure


def _is_coarse(group: Group) -> bool:
    return group.origin_id is None
