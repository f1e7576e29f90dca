"""Durations as text. Pure functions."""

from datetime import timedelta

from django.utils.translation import gettext as _

MINUTE = timedelta(minutes=1)


def duration_text(length: timedelta) -> str:
    """Return a duration in its two largest units: 2 d 4 h, 3 h 5 min, 12 min, 0 min.

    Rounded down to whole minutes. The sign is dropped: the sentence around it must say it.
    """
    if timedelta(0) < abs(length) < MINUTE:
        return _("less than a minute")
    minutes = abs(length) // MINUTE
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    params = {"days": days, "hours": hours, "minutes": minutes}
    if days:
        return _("%(days)d d %(hours)d h") % params if hours else _("%(days)d d") % params
    if hours:
        return _("%(hours)d h %(minutes)d min") % params if minutes else _("%(hours)d h") % params
    return _("%(minutes)d min") % params


def nearest_minute(length: timedelta) -> timedelta:
    """Round a calculated duration to the nearest minute."""
    return round(length / MINUTE) * MINUTE


def column_text(length: timedelta) -> str:
    """Return a duration for a narrow column: 52:05 h."""
    minutes = length // MINUTE
    return f"{minutes // 60}:{minutes % 60:02d} h"
