"""Cities and tiers that promises are tested with, and the short notation of the tables."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from slas.choices import ClosureSide, TierCode
from slas.promises.closures import ClosureCalendar, ClosureRule, Place
from slas.promises.rules import CutOff, TierRule

CITIES = {
    code: Place(number, province, country, zone)
    for number, (code, province, country, zone) in enumerate(
        [
            ("HGH", "ZJ", "CN", "Asia/Shanghai"),  # Hangzhou
            ("CTU", "SC", "CN", "Asia/Shanghai"),  # Chengdu
            ("SHA", "SH", "CN", "Asia/Shanghai"),  # Shanghai
            ("URC", "XJ", "CN", "Asia/Urumqi"),  # Urumqi, two hours behind Beijing
            ("TYO", "", "JP", "Asia/Tokyo"),  # Tokyo
            ("NYC", "NY", "US", "America/New_York"),  # New York
            ("LAX", "CA", "US", "America/Los_Angeles"),  # Los Angeles
            ("HNL", "HI", "US", "Pacific/Honolulu"),  # Honolulu
            ("KIR", "", "KI", "Pacific/Kiritimati"),  # Kiritimati, a full day ahead of Honolulu
            ("APW", "", "WS", "Pacific/Apia"),  # Apia, had no 30 December 2011
            ("LON", "", "GB", "Europe/London"),  # London
            ("SAO", "SP", "BR", "America/Sao_Paulo"),  # Sao Paulo, clocks changed at midnight until 2019
            ("LHI", "NSW", "AU", "Australia/Lord_Howe"),  # Lord Howe, half an hour of daylight saving
        ],
        start=1,
    )
}


NO_CLOSURES = ClosureCalendar()


def daily(at: time, *, day_offset: int = 0) -> dict[int, CutOff | None]:
    """The same cut-off for every day of the week."""
    return dict.fromkeys(range(7), CutOff(at, day_offset))


def tier_rule(cut_off: str, pickup_by: str, deliver_by: str, days: int, **fields: object) -> TierRule:
    """A next-day tier in short; a cut-off "22:00-1" lies on the day before."""
    clock, _, day_offset = cut_off.partition("-")
    values: dict[str, object] = {
        "code": TierCode.NEXT_DAY,
        "version": 7,
        "cut_offs": daily(time.fromisoformat(clock), day_offset=-int(day_offset or 0)),
        "pickup_by": time.fromisoformat(pickup_by),
        "deliver_by": time.fromisoformat(deliver_by),
        "days_in_transit": days,
    }
    return TierRule(**{**values, **fields})


# What the tiers promise from the start, see docs/promises.md.
PUBLISHED_RULES = {
    TierCode.SAME_DAY: TierRule(
        code=TierCode.SAME_DAY,
        version=1,
        cut_offs=daily(time(11)),
        pickup_by=time(13),
        deliver_by=time(22),
        days_in_transit=0,
    ),
    TierCode.NEXT_DAY: TierRule(
        code=TierCode.NEXT_DAY,
        version=1,
        cut_offs=daily(time(18)),
        pickup_by=time(20),
        deliver_by=time(20),
        days_in_transit=1,
    ),
    TierCode.STANDARD: TierRule(
        code=TierCode.STANDARD,
        version=1,
        cut_offs=daily(time(18)),
        pickup_by=time(20),
        deliver_by=time(20),
        days_in_transit=3,
        works_on_holidays=False,
    ),
}
SHOP_HOURS = {**dict.fromkeys(range(5), CutOff(time(18))), 5: CutOff(time(12)), 6: None}

TIERS = {
    "same": PUBLISHED_RULES[TierCode.SAME_DAY],  # cut-off 11:00, pickup by 13:00, by 22:00
    "next": PUBLISHED_RULES[TierCode.NEXT_DAY],  # cut-off 18:00, pickup by 20:00, by 20:00 the next day
    "std": PUBLISHED_RULES[TierCode.STANDARD],  # the same, three days on; rests on public holidays
    "two": tier_rule("18:00", "20:00", "20:00", 2),
    "eve": tier_rule("22:00-1", "10:00", "20:00", 0),  # book until 22:00 on the day before
    "shop": tier_rule(  # Saturdays until 12:00, nothing on Sundays
        "18:00", "20:00", "20:00", 1, cut_offs=SHOP_HOURS, delivery_weekdays=frozenset(range(6))
    ),
    "office": tier_rule("18:00", "20:00", "20:00", 3, delivery_weekdays=frozenset(range(5))),
    "mid": tier_rule("00:00", "00:30", "00:30", 1),
    "one": tier_rule("01:30", "01:45", "01:30", 1),
    "dawn": tier_rule("00:30", "02:30", "02:30", 1),
    "late": tier_rule("23:30", "23:59", "23:30", 1),
}


def local(text: str, city: str) -> datetime:
    """ "2026-03-02 17:40" there; a ' after it means the second time clocks show it that day."""
    moment = datetime.fromisoformat(text.rstrip("'")).replace(tzinfo=ZoneInfo(CITIES[city].zone))
    return moment.replace(fold=int(text.endswith("'"))).astimezone(UTC)


def closure_rules(text: str, year: str) -> list[ClosureRule]:
    """ "o:HGH 03-02..03-04, CN 10-01h, CTU 03-05 14:00-18:00": what is closed, and when.

    That is pickups in Hangzhou for three days, a holiday in China, Chengdu for four hours;
    "14:00-" is until midnight, "-09:00" from midnight on.
    """
    return [rule for part in text.split(",") if part.strip() for rule in _closure_rules(part.strip(), year)]


def full_date(text: str, year: str) -> date:
    return date.fromisoformat(text if len(text) == 10 else f"{year}-{text}")


def _closure_rules(text: str, year: str) -> list[ClosureRule]:
    where, days, *clocks = text.split()
    starts, _, ends = "".join(clocks).partition("-")
    side, _, area = where.rpartition(":")
    first, _, last = days.rstrip("h").partition("..")
    start = full_date(first, year)
    return [
        ClosureRule(
            date=start + timedelta(days=ahead),
            side={"o": ClosureSide.ORIGIN, "d": ClosureSide.DESTINATION, "": ClosureSide.BOTH}[side],
            is_public_holiday=days.endswith("h"),
            name=text,
            starts=time.fromisoformat(starts) if starts else None,
            ends=time.fromisoformat(ends) if ends else None,
            **_scope(area),
        )
        for ahead in range((full_date(last or first, year) - start).days + 1)
    ]


def _scope(area: str) -> dict[str, object]:
    if area in CITIES:
        return {"city_id": CITIES[area].city_id, "country": CITIES[area].country}
    countries = {place.country for place in CITIES.values()}
    if area in countries:
        return {"country": area}
    place = next(place for place in CITIES.values() if place.province == area)
    return {"country": place.country, "province": area}
