"""The demo's scorecards: calculated on the nights that matter, so that grades develop as in reality."""

from datetime import date, datetime, time

from parcels.demo.days import ZONE
from slas.scorecards.rules import FINAL_DAY
from slas.scorecards.services.scorecards import refresh_scorecards


def keep_scorecards(day: date, *, until: datetime) -> int:
    """Do what beat does every night, on the nights a month becomes final and on the last one.

    Grades then count in the quotes of the days that follow. Returns how many couriers changed grade.
    """
    night = min(datetime.combine(day, time.max, ZONE), until)
    is_last = day == until.astimezone(ZONE).date()
    return refresh_scorecards(now=night).grades if is_last or day.day == FINAL_DAY else 0
