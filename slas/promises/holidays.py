"""China's public holidays, from packages: the published schedule where there is one.

`chinese_calendar` holds the schedule that the State Council announces each November for the next year: every
day off, including weekends in between. For the year after the last announcement `holidays` gives the days
named by law, so that promises made in December take the new year into account.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import NamedTuple

import holidays
from chinese_calendar import constants
from django.utils.translation import gettext_noop

FIRST_YEAR = 2016
COUNTRY = "CN"
# Names as stored, from either package; translated where they are shown.
HOLIDAY_NAMES = frozenset(
    {
        gettext_noop("New Year's Day"),
        gettext_noop("Spring Festival"),
        gettext_noop("Tomb-sweeping Day"),
        gettext_noop("Labour Day"),
        gettext_noop("Dragon Boat Festival"),
        gettext_noop("Mid-autumn Festival"),
        gettext_noop("National Day"),
        gettext_noop("Anti-Fascist 70th Day"),
    }
)
# The other package's names for the same days.
_SAME_DAY = {
    "Chinese New Year (Spring Festival)": "Spring Festival",
    "Chinese New Year's Eve": "Spring Festival",
    "Chinese New Year Extended Holiday": "Spring Festival",
    "Tomb-Sweeping Day": "Tomb-sweeping Day",
    "Labor Day": "Labour Day",
    "Mid-Autumn Festival": "Mid-autumn Festival",
}


# Weekend days on which China works to make up for days off, as published.
MAKE_UP_DAYS = frozenset(constants.workdays)


class Holiday(NamedTuple):
    """One day off. Not published means set by law, before the schedule of its year is out."""

    date: date
    name: str
    is_published: bool

    @property
    def announced_at(self) -> datetime:
        """The schedule comes out in November; days set by law are known earlier."""
        return datetime(self.date.year - 1, 11, 1, tzinfo=UTC)


def last_published_year() -> int:
    """Return the last year whose schedule is in the installed package."""
    return max(day.year for day in constants.holidays)


def holidays_between(first_year: int, last_year: int) -> Iterator[Holiday]:
    """Yield the days off of those years, in order."""
    published = last_published_year()
    for day, name in sorted(constants.holidays.items()):
        if first_year <= day.year <= min(last_year, published):
            yield Holiday(day, name, True)
    for year in range(max(first_year, published + 1), last_year + 1):
        for day, name in sorted(holidays.country_holidays(COUNTRY, years=year, language="en_US").items()):
            yield Holiday(day, _common_name(name), False)


def _common_name(name: str) -> str:
    first = name.partition(";")[0].removesuffix(" (observed)")
    return _SAME_DAY.get(first, first)
