"""Convert between local times of a time zone and exact moments.

Moments are returned with a fixed UTC offset, the one of the zone at that moment. They print as
local time, and unlike datetimes with a ZoneInfo they compare, subtract and hash as moments even in
the hour that a clock change repeats.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
_NOON = time(12)
# A year of days, three deadlines a day, about a dozen zones.
_REMEMBERED = 16_384


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name, cached: ZoneInfo's own cache holds eight zones."""
    return ZoneInfo(name)


def local_clock(moment: datetime, zone_name: str) -> datetime:
    """Return a moment as local time of a zone. Raises ValueError for a naive datetime."""
    if moment.utcoffset() is None:
        raise ValueError("A time without a UTC offset is not a moment")
    local = moment.astimezone(zone(zone_name))
    return local.replace(tzinfo=_fixed(_offset(local)), fold=0)


def moment_text(moment: datetime, zone_name: str) -> str:
    """Return a moment as programs read it: the local time of a zone, with its offset."""
    return moment.astimezone(zone(zone_name)).isoformat()


@lru_cache(maxsize=1024)
def _fixed(offset: timedelta) -> timezone:
    return timezone(offset)


@lru_cache(maxsize=_REMEMBERED)
def wall_clock(day: date, at: time, zone_name: str) -> datetime:
    """Return the first moment at which the local time of that day is `at` or later.

    A time that occurs twice means its first occurrence. A time that a clock change skips means the end of
    the gap: with 02:00-03:00 skipped, 02:30 is 03:00. So a later local time never gives an earlier moment.
    """
    tz = zone(zone_name)
    local = datetime.combine(day, at.replace(fold=0), tz)
    moment = local.astimezone(UTC)
    if _offset(local) < _offset(local.replace(fold=1)):
        moment = _end_of_gap(local)
    return local_clock(moment, zone_name)


@lru_cache(maxsize=_REMEMBERED)
def day_exists(day: date, zone_name: str) -> bool:
    """Whether the day exists in the calendar of a zone.

    A place that moves across the date line skips a day: Samoa had no 30 December 2011.
    """
    noon = datetime.combine(day, _NOON, zone(zone_name))
    return _offset(noon.replace(fold=1)) - _offset(noon) < ONE_DAY


def _end_of_gap(local: datetime) -> datetime:
    """Return the moment of the clock change that skips this local time.

    Python gives a skipped time two readings, one on each side of the change; zone data has whole seconds,
    so a binary search finds the change.
    """
    tz, before = local.tzinfo, _offset(local)
    low = int(local.replace(fold=1).timestamp())
    high = int(local.replace(fold=0).timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(datetime.fromtimestamp(middle, tz)) == before:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


def _offset(local: datetime) -> timedelta:
    offset = local.utcoffset()
    if offset is None:
        raise ValueError(f"{local!r} has no UTC offset")
    return offset
