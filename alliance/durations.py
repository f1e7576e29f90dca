"""Lengths of time in words. Pure."""

from datetime import timedelta

from django.utils.translation import gettext as _

MINUTE = timedelta(minutes=1)


def duration_text(length: timedelta) -> str:
    """A length of time in the two largest units that say something: 2 d 4 h, 3 h 5 min, 12 min, 0 min.

    Whole minutes that have passed: what is left of one is not shown. The sign is for the sentence to say.
    """
    if timedelta(0) < abs(length) < MINUTE:
        return _("less than a minute")
    minutes = abs(length) // MINUTE
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    said = {"days": days, "hours": hours, "minutes": minutes}
    if days:
        return _("%(days)d d %(hours)d h") % said if hours else _("%(days)d d") % said
    if hours:
        return _("%(hours)d h %(minutes)d min") % said if minutes else _("%(hours)d h") % said
    return _("%(minutes)d min") % said


def nearest_minute(length: timedelta) -> timedelta:
    """A figure that was worked out, to the minute it is nearest to."""
    return round(length / MINUTE) * MINUTE


def column_text(length: timedelta) -> str:
    """A length of time for a narrow column, one under the other: 52:05 h."""
    minutes = length // MINUTE
    return f"{minutes // 60}:{minutes % 60:02d} h"
