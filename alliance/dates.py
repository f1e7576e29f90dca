"""Days and moments as people read them: the year is told only when it is not this one.

`{{ value|date:"DATETIME_FORMAT" }}` writes the same in every template (alliance.templatetags.dates).
What programs read stays ISO.
"""

from datetime import date, datetime

from django.utils import formats, timezone

# In this year, a format of alliance/formats is replaced by this one.
OF_THIS_YEAR = {
    "DATE_FORMAT": "MONTH_DAY_FORMAT",
    "SHORT_DATE_FORMAT": "MONTH_DAY_FORMAT",
    "DATETIME_FORMAT": "MONTH_DAY_TIME_FORMAT",
    "SHORT_DATETIME_FORMAT": "MONTH_DAY_TIME_FORMAT",
    "DAY_FORMAT": "WEEKDAY_FORMAT",
    "MOMENT_FORMAT": "WEEKDAY_TIME_FORMAT",
}


def date_text(value: date, form: str = "DATE_FORMAT") -> str:
    """Return a day, or a moment by the clock of its own zone."""
    return formats.date_format(value, OF_THIS_YEAR.get(form, form) if _is_this_year(value) else form)


def time_text(at: datetime) -> str:
    """Return a moment by the clock of the active zone: `3 Dec, 18:00`."""
    return date_text(timezone.localtime(at), "DATETIME_FORMAT")


def _is_this_year(value: date) -> bool:
    zone = value.tzinfo if isinstance(value, datetime) else None
    return value.year == timezone.localdate(timezone=zone).year
