"""The tiers and closures in force, in the form the pure rules read.

Objects built from rows are cached in the process by a hash of the rows' own content, which each read fetches
from the database. A change made anywhere is therefore seen by the next quote, and no cache needs to be
cleared. A quote reads both hashes with its offers, in one message: see slas/offers/sql.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.utils.translation import get_language

from alliance.models import City
from alliance.tenancy import raw_rows
from slas.choices import ClosureSide, TierCode
from slas.promises.closures import ClosureCalendar, ClosureRule, Place
from slas.promises.models import ServiceTier, TierVersion
from slas.promises.prices import DEFAULT_WEIGHT_BANDS, WeightBand
from slas.promises.rules import EVERY_DAY, SEARCH_DAYS, CutOff, TierRule

# A promise may search twice in a row from the last day that can be requested, plus transit.
_DAYS_BACK = 10
_DAYS_AHEAD = 2 * SEARCH_DAYS + 80
_MOST_CALENDARS = 64


@dataclass(frozen=True, slots=True)
class TierInForce:
    """A tier on sale, with the rules and prices in force at one moment."""

    id: int
    code: TierCode
    name_en: str
    name_zh: str
    version_id: int
    valid_from: datetime
    rule: TierRule
    bands: tuple[WeightBand, ...]

    @property
    def name(self) -> str:
        return self.name_zh if get_language() == "zh-hans" else self.name_en


class Tiers(NamedTuple):
    """The tiers on sale at a moment, by code and in their order, and their versions announced by then."""

    in_force: dict[str, TierInForce]
    # The next version first.
    announced: dict[str, list[TierInForce]]


def tiers_at(moment: datetime) -> dict[str, TierInForce]:
    """Return the tiers on sale by code, in their order, with the version in force at a moment."""
    return tiers_with_announced(moment).in_force


def tiers_with_announced(moment: datetime, *, stamp: str = "") -> Tiers:
    """Return the tiers on sale with the version in force at a moment, and the versions after it.

    `stamp` is the value of TIERS_STAMP, if the caller has just read it.
    """
    tiers = Tiers({}, {})
    for tier in _versions(stamp or _read_stamp(TIERS_STAMP, {})):
        # Oldest first, so the newest version in force wins.
        if tier.valid_from <= moment:
            tiers.in_force[tier.code] = tier
        else:
            tiers.announced.setdefault(tier.code, []).append(tier)
    return tiers


def calendar_at(moment: datetime, *, known_at: datetime | None = None, stamp: str = "") -> ClosureCalendar:
    """Return the closures that affect a promise made at a moment, as announced by `known_at`.

    `known_at` is the same moment by default. `stamp` is the value of CLOSURES_STAMP, if the caller has just
    read it.
    """
    window = closures_window(moment, known_at=known_at)
    stamp = stamp or _read_stamp(CLOSURES_STAMP, window)
    calendar = _calendars.get(stamp)
    if calendar is None:
        if len(_calendars) >= _MOST_CALENDARS:
            _calendars.clear()
        calendar = _calendars[stamp] = _calendar(raw_rows(_CLOSURES, window))
    return calendar


def closures_window(moment: datetime, *, known_at: datetime | None = None) -> dict[str, object]:
    """Return the parameters of CLOSURES_STAMP."""
    first = moment.date() - timedelta(days=_DAYS_BACK)
    last = first + timedelta(days=_DAYS_AHEAD)
    return {"first_day": first, "last_day": last, "known_at": known_at or moment}


def place_of(city: City) -> Place:
    """Return the data of a city that promises depend on. Provinces are compared by English name."""
    return Place(city.pk, city.province_en, city.country, city.time_zone)


def rule_of(version: TierVersion, code: TierCode) -> TierRule:
    """Return the rule of a version. Raises ValueError if it is inconsistent."""
    return TierRule(
        code=code,
        version=version.number,
        cut_offs={int(day): _cut_off(cut_off) for day, cut_off in version.cut_offs.items()},
        pickup_by=version.pickup_by,
        deliver_by=version.deliver_by,
        days_in_transit=version.days_in_transit,
        pickup_weekdays=frozenset(int(day) for day, cut_off in version.cut_offs.items() if cut_off),
        # An empty list is the default: every day.
        delivery_weekdays=frozenset(map(int, version.delivery_weekdays)) or EVERY_DAY,
        works_on_holidays=version.works_on_holidays,
    )


def bands_of(version: TierVersion) -> tuple[WeightBand, ...]:
    """Return a version's price bands; without any, the default table."""
    bands = tuple(WeightBand(int(b["up_to_g"]), int(b["surcharge_fen"])) for b in version.weight_bands)
    return bands or DEFAULT_WEIGHT_BANDS


def _cut_off(value: Any) -> CutOff | None:
    if not value:
        return None
    return CutOff(time.fromisoformat(value["time"]), int(value.get("day_offset", 0)))


# Scalar expressions: hashes of the rows that tiers and calendars are built from.
TIERS_STAMP: Final = """(
    SELECT coalesce(sum(hashtextextended(t::text, 1)), 0)::text
        || coalesce((SELECT sum(hashtextextended(v::text, 2)) FROM slas_tierversion v), 0)::text
    FROM slas_servicetier t
)"""
_IN_WINDOW: Final = """
    FROM slas_closure c
    WHERE date BETWEEN %(first_day)s AND %(last_day)s AND announced_at <= %(known_at)s
        AND (withdrawn_at IS NULL OR withdrawn_at > %(known_at)s)"""
CLOSURES_STAMP: Final = f"""(
    SELECT count(*) || ':' || coalesce(sum(hashtextextended(c::text, 3)), 0) {_IN_WINDOW}
)"""  # noqa: S608 -- built of constants
_CLOSURES: Final = f"""
    SELECT date, side, country, province, city_id, is_public_holiday, name, starts, ends {_IN_WINDOW}
    ORDER BY id
"""  # noqa: S608 -- built of constants
_calendars: dict[str, ClosureCalendar] = {}


def _read_stamp(expression: str, parameters: dict[str, object]) -> str:
    return str(raw_rows(f"SELECT {expression}", parameters)[0][0])


@lru_cache(maxsize=8)
def _versions(stamp: str) -> tuple[TierInForce, ...]:
    versions = TierVersion.objects.filter(tier__active=True).select_related("tier")
    rows = versions.order_by("tier__position", "tier_id", "valid_from")
    return tuple(_in_force(row.tier, row) for row in rows)


def _in_force(tier: ServiceTier, version: TierVersion) -> TierInForce:
    code = TierCode(tier.code)
    return TierInForce(
        id=tier.pk,
        code=code,
        name_en=tier.name_en,
        name_zh=tier.name_zh,
        version_id=version.pk,
        valid_from=version.valid_from,
        rule=rule_of(version, code),
        bands=bands_of(version),
    )


def _calendar(rows: Iterable[tuple[Any, ...]]) -> ClosureCalendar:
    return ClosureCalendar(
        ClosureRule(
            date=day,
            side=ClosureSide(side),
            country=country,
            province=province,
            city_id=city_id,
            is_public_holiday=is_public_holiday,
            name=name,
            starts=starts,
            ends=ends,
        )
        for day, side, country, province, city_id, is_public_holiday, name, starts, ends in rows
    )
