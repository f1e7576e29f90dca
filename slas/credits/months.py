"""Accounting months: calendar months in the alliance's time zone, each given by its first day. Pure."""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from alliance.errors import FieldError, InvalidInput

# One time zone for all books, wherever a parcel went.
ZONE = ZoneInfo("Asia/Shanghai")
_WRITTEN = re.compile(r"(?P<year>20[0-9]{2})-(?P<month>0[1-9]|1[0-2])")


class InvalidMonth(ValueError):
    """A text that is not a month."""


def month_of(moment: datetime) -> date:
    """The month of a moment. Raises ValueError for a moment without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone, so it is no moment")
    return moment.astimezone(ZONE).date().replace(day=1)


def next_month(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=31)).replace(day=1)


def start_of(month: date) -> datetime:
    return datetime.combine(month.replace(day=1), time.min, ZONE)


def is_over(month: date, now: datetime) -> bool:
    return start_of(next_month(month)) <= now


def spell(month: date) -> str:
    """A month as written in URLs and API responses: 2026-11."""
    return f"{month:%Y-%m}"


def parse_month(text: str) -> date:
    """Parse the format of `spell`. Raises InvalidMonth for anything else."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise InvalidMonth(text)
    return date(int(match["year"]), int(match["month"]), 1)


def asked_month(text: str) -> date:
    """Parse the month of a URL. Raises InvalidInput, with the expected format."""
    try:
        return parse_month(text)
    except InvalidMonth:
        problem = _("Write a month from 2000 to 2099, as in 2026-10.")
        raise InvalidInput(problem, errors=[FieldError("/month", problem, "invalid")]) from None
