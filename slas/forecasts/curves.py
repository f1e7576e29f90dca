"""The histograms that forecasts are made from: read by group and cached."""

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
    fallback_measures,
    forecast,
    measures_for,
)

CurveKey = tuple[Group, int]

# Seconds to cache the histograms of whole couriers and tiers. They sum over many lanes: slow to compute and
# slow to change, unless they hold few parcels.
_CACHE_SECONDS: Final = 300
_CACHE_SECONDS_SETTLED: Final = 3 * 3600
_SETTLED_PARCELS: Final = 300
# The refresh recomputes them before they expire, so that no page has to.
_RENEW_AFTER_SECONDS: Final = 3600
# Seconds a process uses its own copies, and how many histograms it holds.
_NEAR_SECONDS: Final = 300
_NEAR_MOST: Final = 8192
_near: dict[tuple[date, CurveKey], tuple[float, Curve]] = {}

# One index lookup per group: by lane, by courier, by tier. LATERAL keeps the planner to it. Of a lane each
# courier's totals are told apart: its rows are all read for the lane anyway.
_GROUP_TOTALS: Final = f"""
SELECT w.n, h.courier, h.mark / {MEASURE_STEP}, h.mark %% {MEASURE_STEP}, h.total
FROM wanted w CROSS JOIN LATERAL (
    SELECT {{courier}} AS courier, mark, sum(count)::bigint AS total
    FROM slas_progress, unnest(marks, counts) AS m (mark, count)
    WHERE {{within}} AND tier_id = w.tier AND due_date BETWEEN %(first)s AND %(last)s
        AND mark / {MEASURE_STEP} = ANY(w.measures)
    GROUP BY 1, 2
) h WHERE {{condition}}"""  # noqa: S608 -- built of constants
_WANTED: Final = """
WITH wanted AS (
    SELECT w.tier, w.courier, w.origin, w.destination, w.measures::int[] AS measures, w.n
    FROM unnest(%(tier)s, %(courier)s, %(origin)s, %(destination)s, %(measures)s)
        WITH ORDINALITY AS w (tier, courier, origin, destination, measures, n)
)
"""
_OF_LANES: Final = _GROUP_TOTALS.format(
    condition="w.origin IS NOT NULL",
    within="origin_id = w.origin AND destination_id = w.destination",
    courier="courier_id",
)
_OF_ALL_LANES: Final = " UNION ALL ".join(
    _GROUP_TOTALS.format(condition=condition, within=within, courier="NULL::bigint")
    for condition, within in (
        ("w.origin IS NULL AND w.courier IS NOT NULL", "courier_id = w.courier"),
        ("w.origin IS NULL AND w.courier IS NULL", "true"),
    )
)
# Stored in the database: a tracking page waits for it when its lane is not cached.
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
    returns={
        "place": "bigint",
        "of_courier": "bigint",
        "measure": "int",
        "bin": "int",
        "total": "bigint",
    },
    is_stable=True,
    body=f"""
BEGIN
    RETURN QUERY {_WANTED}{_OF_LANES};
    -- Mostly a lane alone is missing, and setting these up takes longer than reading it.
    IF array_position(%(origin)s, NULL) IS NOT NULL THEN
        RETURN QUERY {_WANTED}{_OF_ALL_LANES};
    END IF;
END""",
)


class Curves:
    """Histograms by group and measure, as known at one moment; each is read at most once."""

    def __init__(self, *, now: datetime, renewing: bool = False) -> None:
        self._today = timezone.localdate(now)
        self._renewing = renewing
        self._now = now.timestamp()
        self._known: dict[CurveKey, Curve] = {}
        self._forecast: dict[tuple[Position, datetime], Forecast] = {}

    def forecast(self, position: Position, *, now: datetime) -> Forecast:
        """Forecast a parcel from the curves read so far; equal parcels are forecast once."""
        key = position, now
        if key not in self._forecast:
            self._forecast[key] = forecast(position, now=now, curve_of=self._of)
        return self._forecast[key]

    def _of(self, group: Group, measure: int) -> Curve:
        return self._known.get((group, measure), EMPTY)

    def need(self, positions: Iterable[Position], *, now: datetime) -> None:
        """Read all curves that forecasts of these parcels need, at once, in a scope of its own.

        Whole histograms are read whoever the reader is, and leave only as forecasts: a courier learns when
        its parcel will arrive, not how other couriers perform.
        """
        keys = {key for position in positions for key in _curve_keys(position, now)} - self._known.keys()
        if not keys:
            return
        if self._renewing:
            # The refresh reads lanes from the database: there are many, and each is needed once.
            self._known.update(self._fetch(keys))
        else:
            self._known.update(self._near_curves(keys))

    def _near_curves(self, keys: Set[CurveKey]) -> dict[CurveKey, Curve]:
        """Return curves from this process's copies; fetch the missing ones."""
        curves: dict[CurveKey, Curve] = {}
        for key in keys:
            curve = self._near_curve(key)
            if curve is None and self._near_curve(_of_lane(key)) is not None:
                # The lane was read, and nothing is of this courier.
                curve = EMPTY
            if curve is not None:
                curves[key] = curve
        missing = keys - curves.keys()
        if missing:
            fetched = self._fetch(missing)
            if len(_near) + len(fetched) > _NEAR_MOST:
                _near.clear()
            _near.update({(self._today, key): (self._now, curve) for key, curve in fetched.items()})
            curves |= fetched
        return curves

    def _near_curve(self, key: CurveKey) -> Curve | None:
        stored_at, curve = _near.get((self._today, key), (0.0, EMPTY))
        return curve if 0 <= self._now - stored_at < _NEAR_SECONDS else None

    def _fetch(self, keys: Set[CurveKey]) -> dict[CurveKey, Curve]:
        """Return coarse groups from the cache and lanes from the database, which is as fast."""
        curves = self._cached([key for key in keys if _is_coarse(key[0])])
        missing = keys - curves.keys()
        if missing:
            fresh = self._read(missing)
            self._cache_curves({key: curve for key, curve in fresh.items() if _is_coarse(key[0])})
            curves |= fresh
        return curves

    def _read(self, curve_keys: Set[CurveKey]) -> dict[CurveKey, Curve]:
        """Return these curves, and those of the other couriers of their lanes."""
        measures: dict[Group, list[int]] = defaultdict(list)
        wanted = {_of_lane(key) for key in curve_keys}
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
        bins: dict[CurveKey, dict[int, float]] = defaultdict(dict, {key: {} for key in wanted | curve_keys})
        # The scope of a tracking page: it shows how long couriers take, and no other data.
        rows = rows_in(Scope.parcel(0), READ_CURVES.call, parameters)
        for place, courier_id, measure, number, count in rows:
            group = groups[place - 1]
            totals = bins[group, measure]
            totals[number] = totals.get(number, 0) + count
            if courier_id is not None:
                bins[group._replace(courier_id=courier_id), measure][number] = count
        return {key: Curve(counts) for key, counts in bins.items()}

    def _cached(self, curve_keys: Sequence[CurveKey]) -> dict[CurveKey, Curve]:
        if not curve_keys:
            return {}
        keys = {self._key(curve_key): curve_key for curve_key in curve_keys}
        try:
            entries = cache.get_many(keys)
        except (RedisError, ConnectionError):
            return {}
        oldest = self._now - _RENEW_AFTER_SECONDS if self._renewing else 0.0
        return {keys[key]: Curve(bins) for key, (stored_at, bins) in entries.items() if stored_at >= oldest}

    def _cache_curves(self, curves: Mapping[CurveKey, Curve]) -> None:
        for settled in (False, True):
            entries = {
                self._key(key): (self._now, dict(curve.bins))
                for key, curve in curves.items()
                if (curve.total >= _SETTLED_PARCELS) == settled
            }
            try:
                cache.set_many(entries, _CACHE_SECONDS_SETTLED if settled else _CACHE_SECONDS)
            except (RedisError, ConnectionError):
                return

    def _key(self, curve_key: CurveKey) -> str:
        group, measure = curve_key
        return f"curve:{self._today}:{measure}:" + ":".join(str(part or "") for part in group)


def forget_near() -> None:
    """Clear the copies of this process; the cache keeps its own."""
    _near.clear()


def forecast_for(position: Position, *, now: datetime) -> Forecast:
    """Forecast one parcel that has not been attempted; costs at most one query."""
    curves = Curves(now=now)
    curves.need([position], now=now)
    return curves.forecast(position, now=now)


def _curve_keys(position: Position, now: datetime) -> Iterable[CurveKey]:
    left = position.due_at - now
    for _basis, group in position.groups:
        for measure in measures_for(position.stage, left):
            yield group, measure
    for measure in fallback_measures(position.stage, left):
        yield Group(position.tier_id), measure


def _of_lane(key: CurveKey) -> CurveKey:
    """Return the key of all couriers on the lane, for one of a courier there; others as they are."""
    group, measure = key
    return key if _is_coarse(group) else (group._replace(courier_id=None), measure)


def _is_coarse(group: Group) -> bool:
    return group.origin_id is None
