"""Months of the books: calendar months by the alliance's own clock, each named by its first day. Pure."""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from alliance.errors import FieldError, InvalidInput

# One clock for everybody's books, wherever a parcel went.
ZONE = ZoneInfo("Asia/Shanghai")
_WRITTEN = re.compile(r"(?P<year>20[0-9]{2})-(?P<month>0[1-9]|1[0-2])")


class InvalidMonth(ValueError):
    """A text that is no month."""


def month_of(moment: datetime) -> date:
    """The month a moment belongs to. Raises ValueError for a moment without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone, so it is no moment")
    return moment.astimezone(ZONE).date().replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(days=31)).replace(day=1)


def start_of(month: date) -> datetime:
    """The moment a month begins."""
    return datetime.combine(month.replace(day=1), time.min, ZONE)


def is_over(month: date, now: datetime) -> bool:
    """Whether nothing more can happen in a month."""
    return start_of(next_month(month)) <= now


def spell(month: date) -> str:
    """A month as it stands in addresses and answers: 2026-11."""
    return f"{month:%Y-%m}"


def parse_month(text: str) -> date:
    """Read what `spell` writes. Raises InvalidMonth for anything else."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise InvalidMonth(text)
    return date(int(match["year"]), int(match["month"]), 1)


def asked_month(text: str) -> date:
    """Read the month of an address. Raises InvalidInput, which says how one is written."""
    try:
        return parse_month(text)
    except InvalidMonth:
        problem = _("Write a month from 2000 to 2099, as in 2026-10.")
        raise InvalidInput(problem, errors=[FieldError("/month", problem, "invalid")]) from None
