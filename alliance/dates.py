"""Days and moments as people read them: the year is told only when it is not this one.

`{{ value|date:"DATETIME_FORMAT" }}` writes the same in every template (alliance.templatetags.dates).
What programs read stays ISO.
"""

from datetime import date, datetime
from functools import lru_cache

from django.utils import formats, timezone
from django.utils.translation import get_language

# In this year, a format of alliance/formats is replaced by this one.
OF_THIS_YEAR = {
    "DATE_FORMAT": "MONTH_DAY_FORMAT",
    "SHORT_DATE_FORMAT": "MONTH_DAY_FORMAT",
    "DATETIME_FORMAT": "MONTH_DAY_TIME_FORMAT",
    "SHORT_DATETIME_FORMAT": "MONTH_DAY_TIME_FORMAT",
    "DAY_FORMAT": "WEEKDAY_FORMAT",
    "MOMENT_FORMAT": "WEEKDAY_TIME_FORMAT",
}
# How formats of a moment end.
_CLOCK = "H:i"


def date_text(value: date, form: str = "DATE_FORMAT") -> str:
    """Return a day, or a moment by the clock of its own zone."""
    form = OF_THIS_YEAR.get(form, form) if _is_this_year(value) else form
    if not isinstance(value, datetime):
        return formats.date_format(value, form)
    text, has_clock = _day_text(value.date(), form, get_language())
    return f"{text}{value.hour:02}:{value.minute:02}" if has_clock else text


def time_text(at: datetime) -> str:
    """Return a moment by the clock of the active zone: `3 Dec, 18:00`."""
    return date_text(timezone.localtime(at), "DATETIME_FORMAT")


# A list writes the same few days on all its rows.
@lru_cache(maxsize=4096)
def _day_text(day: date, form: str, _language: str | None) -> tuple[str, bool]:
    """Return a day in a format of alliance/formats without the clock at its end, and whether it has one."""
    pattern = formats.get_format(form)
    has_clock = pattern.endswith(_CLOCK)
    return formats.date_format(day, pattern.removesuffix(_CLOCK)), has_clock


def _is_this_year(value: date) -> bool:
    zone = value.tzinfo if isinstance(value, datetime) else None
    return value.year == timezone.localdate(timezone=zone).year
