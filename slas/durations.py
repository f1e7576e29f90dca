"""Lengths of time in words. Pure."""

from datetime import timedelta

from django.utils.translation import gettext as _


def lasting(duration: timedelta) -> str:
    """A length of time in the two largest units that say something: 2 d 4 h, 3 h 5 min, 12 min."""
    minutes = int(abs(duration).total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours} if hours else _("%d d") % days
    if hours:
        text = _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
        return text if minutes else _("%d h") % hours
    return _("%d min") % minutes if minutes else _("less than a minute")
