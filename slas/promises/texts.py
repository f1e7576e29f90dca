"""Promises and recommendations as text for people."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from django.utils import formats
from django.utils.translation import get_language, gettext, ngettext, pgettext
from django.utils.translation import gettext as _

from alliance.wording import listed, sentences
from slas.promises.closures import Hours
from slas.promises.holidays import HOLIDAY_NAMES
from slas.promises.rules import PICKUP_REFUSALS, Promise, Step, StepCode


def day_text(day: date | None) -> str:
    """A date with its weekday, in the order of the reader's language."""
    return "" if day is None else _day_text(day, get_language() or "")


@lru_cache(maxsize=512)
def _day_text(day: date, language: str) -> str:
    # Cached: a batch shows hundreds of promises of the same few days.
    params = {"weekday": formats.date_format(day, "D"), "date": formats.date_format(day, "DATE_FORMAT")}
    return pgettext("day", "%(weekday)s %(date)s") % params


def clock_text(moment: datetime | None) -> str:
    """The local time of a moment, by its own offset."""
    return "" if moment is None else moment.strftime("%H:%M")


def moment_text(moment: datetime) -> str:
    params = {"day": day_text(moment.date()), "clock": clock_text(moment)}
    return pgettext("moment", "%(day)s %(clock)s") % params


class Ends(NamedTuple):
    """The cities of a journey, by their names in the reader's language."""

    origin: str
    destination: str


def explained(promise: Promise, ends: Ends) -> list[str]:
    """The steps of a promise as sentences, the same at every interface."""
    return [step_text(step, ends) for step in promise.steps]


def step_text(step: Step, ends: Ends) -> str:
    """One step of a promise as a sentence."""
    # Equal moments may be different local times.
    offset = step.at.utcoffset() if step.at else None
    return _step_text(step, ends, offset, get_language() or "")


@lru_cache(maxsize=2048)
def _step_text(step: Step, ends: Ends, _offset: timedelta | None, _language: str) -> str:
    # Cached: most steps are the same for all bookings of a lane and day.
    params = {
        "origin": ends.origin,
        "destination": ends.destination,
        "day": day_text(step.day),
        "at": moment_text(step.at) if step.at else "",
        "clock": clock_text(step.at),
        "cut_off": _cut_off_text(step),
        "days": step.days,
        "closure": closure_text(step.closure),
        "hours": listed(map(hours_text, step.hours)),
    }
    sentence = _pickup_sentence(step.code) or _delivery_sentence(step)
    return sentences(sentence, _make_up_sentence(step)) % params


def _make_up_sentence(step: Step) -> str:
    if not step.is_make_up:
        return ""
    if step.code in {StepCode.PICKUP_BY, StepCode.DELIVER_BY}:
        return _("%(day)s is a make-up working day.")
    return _("%(day)s is a make-up working day, but this service goes by the day of the week.")


def _cut_off_text(step: Step) -> str:
    """The time of a cut-off, without the day if it is the day of pickup."""
    if step.at is None or step.at.date() == step.day:
        return clock_text(step.at)
    return moment_text(step.at)


def hours_text(hours: Hours) -> str:
    """Closed hours as text; midnight at the end is 24:00."""
    ends = f"{hours.ends:%H:%M}" if hours.ends else "24:00"
    return f"{hours.starts:%H:%M}–{ends}"


def closure_text(name: str) -> str:
    """A closure's name: public holidays in the reader's language, others as declared."""
    return gettext(name) if name in HOLIDAY_NAMES else name


def _pickup_sentence(code: StepCode) -> str:
    match code:
        case StepCode.BOOKED:
            return _("Booked %(at)s, %(origin)s time.")
        case StepCode.READY:
            return _("Ready for pickup in %(origin)s %(at)s.")
        case StepCode.CUT_OFF_KEPT:
            return _("In time for the cut-off in %(origin)s, %(cut_off)s, so pickup is on %(day)s.")
        case StepCode.CUT_OFF_MISSED:
            return _("The cut-off in %(origin)s for pickup on %(day)s has passed: it was %(cut_off)s.")
        case StepCode.READY_TOO_LATE:
            return _("Ready after the last pickup in %(origin)s, %(at)s.")
        case StepCode.NO_PICKUP_DAY:
            return _("There is no pickup in %(origin)s on %(day)s.")
        case StepCode.ORIGIN_CLOSED:
            return _("%(origin)s is closed on %(day)s (%(closure)s).")
        case StepCode.ORIGIN_CUT_SHORT:
            return _(
                "%(origin)s is closed %(hours)s on %(day)s (%(closure)s),"
                " which leaves too little of the day for pickup."
            )
        case StepCode.ORIGIN_REOPENS:
            return _("%(origin)s is closed %(hours)s on %(day)s (%(closure)s), so pickup is by %(clock)s.")
        case StepCode.PICKUP_BY:
            return _("Picked up in %(origin)s by %(at)s.")
    return ""


def _delivery_sentence(step: Step) -> str:
    match step.code:
        case StepCode.DAYS_IN_TRANSIT:
            return _transit_sentence(step.days or 0)
        case StepCode.NO_DELIVERY_DAY:
            return _("There is no delivery in %(destination)s on %(day)s.")
        case StepCode.DESTINATION_CLOSED:
            return _("%(destination)s is closed on %(day)s (%(closure)s).")
        case StepCode.DESTINATION_CUT_SHORT:
            return _(
                "%(destination)s is closed %(hours)s on %(day)s (%(closure)s),"
                " which leaves too little of the day for delivery."
            )
        case StepCode.DESTINATION_REOPENS:
            return _(
                "%(destination)s is closed %(hours)s on %(day)s (%(closure)s), so delivery is by %(clock)s."
            )
        case StepCode.BEFORE_PICKUP:
            return _("The delivery deadline in %(destination)s, %(at)s, is before the pickup.")
        case StepCode.NO_SUCH_DAY:
            return _("The calendar there skips %(day)s.")
        case StepCode.DELIVER_BY:
            return _("Delivered in %(destination)s by %(at)s.")
        case StepCode.NEW_RULES:
            return _("New rules will apply: book by %(at)s.")
    raise ValueError(f"No sentence says {step.code}")


def _transit_sentence(days: int) -> str:
    if days == 0:
        return _("%(destination)s is reached the same day.")
    return ngettext("%(destination)s is %(days)d day away.", "%(destination)s is %(days)d days away.", days)


def rolled_text(promise: Promise, ends: Ends, full_on: tuple[date, ...] = ()) -> str:
    """Why pickup is not on the requested day, all causes of it; empty when it is."""
    if not full_on and not promise.rolled:
        return ""
    refusals = [step for step in promise.steps if step.code in PICKUP_REFUSALS]
    causes = [_refusal_text(list(run), ends) for _key, run in groupby(refusals, key=_cause)]
    full = _("Full on %(days)s.") % {"days": listed(map(day_text, full_on))} if full_on else ""
    return sentences(*causes, full, _("Pickup is on %s.") % day_text(promise.effective_date))


def _cause(step: Step) -> tuple[object, ...]:
    """What days in a row must have in common to be told in one sentence: only whole days of one closure."""
    return (step.code, step.closure) if step.code == StepCode.ORIGIN_CLOSED else (step.code, step.day)


def _refusal_text(run: list[Step], ends: Ends) -> str:
    if len(run) == 1:
        return step_text(run[0], ends)
    return _("%(origin)s is closed from %(first)s to %(last)s (%(closure)s).") % {
        "origin": ends.origin,
        "first": day_text(run[0].day),
        "last": day_text(run[-1].day),
        "closure": closure_text(run[0].closure),
    }
