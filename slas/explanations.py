"""Promises and recommendations in words, for people."""

from datetime import date, datetime
from functools import lru_cache

from django.utils import formats
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from couriers.choices import Grade
from slas.promises import Promise, Step, StepCode
from slas.ranking import PRIOR_N, Reason, Record


def day_text(day: date | None) -> str:
    """A date as the reader's language writes it, weekday first."""
    return "" if day is None else _day_text(day, get_language() or "")


@lru_cache(maxsize=512)
def _day_text(day: date, language: str) -> str:
    # A batch words some hundred promises, of the same few days.
    return f"{formats.date_format(day, 'D')} {formats.date_format(day, 'DATE_FORMAT')}"


def clock_text(moment: datetime | None) -> str:
    """A moment on the clock of the place it belongs to: its own offset is kept."""
    return "" if moment is None else moment.strftime("%H:%M")


def moment_text(moment: datetime) -> str:
    return f"{day_text(moment.date())} {clock_text(moment)}"


def step_text(step: Step) -> str:
    """One step of a promise as a sentence."""
    said = {
        "day": day_text(step.day),
        "at": moment_text(step.at) if step.at else "",
        "days": step.days,
        "closure": step.closure,
    }
    return _sentence(step.code) % said


def _sentence(code: StepCode) -> str:
    match code:
        case StepCode.BOOKED:
            return _("Booked %(at)s, the origin's time.")
        case StepCode.READY:
            return _("Ready for pickup %(at)s.")
        case StepCode.CUT_OFF_KEPT:
            return _("In time for the cut-off %(at)s for pickup on %(day)s.")
        case StepCode.CUT_OFF_MISSED:
            return _("The cut-off %(at)s for pickup on %(day)s has passed.")
        case StepCode.READY_TOO_LATE:
            return _("Ready after the last pickup %(at)s.")
        case StepCode.NO_PICKUP_DAY:
            return _("There is no pickup on %(day)s.")
        case StepCode.ORIGIN_CLOSED:
            return _("The origin is closed on %(day)s (%(closure)s).")
        case StepCode.PICKUP_BY:
            return _("Picked up by %(at)s.")
        case StepCode.DAYS_IN_TRANSIT:
            return _("Days in transit: %(days)s.")
        case StepCode.NO_DELIVERY_DAY:
            return _("There is no delivery on %(day)s.")
        case StepCode.DESTINATION_CLOSED:
            return _("The destination is closed on %(day)s (%(closure)s).")
        case StepCode.BEFORE_PICKUP:
            return _("The delivery deadline %(at)s lies before the pickup.")
        case StepCode.NO_SUCH_DAY:
            return _("The calendar there skips %(day)s.")
        case StepCode.DELIVER_BY:
            return _("Delivered by %(at)s, the destination's time.")


def rolled_text(promise: Promise, full_on: tuple[date, ...] = ()) -> str:
    """Why pickup is not on the day asked for; empty when it is."""
    if full_on:
        days = ", ".join(day_text(day) for day in full_on)
        return _("Full on %(days)s; pickup is on %(day)s.") % {
            "days": days,
            "day": day_text(promise.effective_date),
        }
    if not promise.rolled:
        return ""
    causes = {
        StepCode.CUT_OFF_MISSED,
        StepCode.READY_TOO_LATE,
        StepCode.NO_PICKUP_DAY,
        StepCode.ORIGIN_CLOSED,
    }
    why = next((step_text(step) for step in promise.steps if step.code in causes), "")
    return " ".join(part for part in (why, _("Pickup is on %s.") % day_text(promise.effective_date)) if part)


def reason_text(reason: Reason | None, record: Record, grade: Grade) -> str:
    """Why an offer is recommended, and how its courier is graded; empty when it is not."""
    if reason is None:
        return ""
    return f"{_why(reason, record)} {grade_text(grade)}"


def grade_text(grade: Grade) -> str:
    """A courier's grade as a sentence."""
    if grade == Grade.PROBATION:
        return _("The courier is on probation.")
    return _("The courier's grade is %(grade)s.") % {"grade": grade.label}


def _why(reason: Reason, record: Record) -> str:
    match reason:
        case Reason.ONLY_OFFER:
            return _("The only courier that offers this service here.")
        case Reason.ONLY_ROOM:
            return _("The only courier with room on the earliest day.")
        case Reason.NOT_ON_PROBATION:
            return _("The best on-time record on this lane of the couriers that are not on probation.")
        case Reason.GRADE:
            return _("The best grade of the couriers with the best on-time record on this lane.")
        case Reason.PRICE:
            return _("The cheapest of the couriers with the best on-time record on this lane.")
        case Reason.ON_TIME if record.uses_prior:
            return (
                _("The best on-time record on this lane, counted with the average while under %d parcels.")
                % PRIOR_N
            )
        case Reason.ON_TIME:
            return _("The best on-time record on this lane: at least %s %% with 95 %% confidence.") % (
                # Rounded first: number_format cuts digits off, and the page beside it rounds.
                formats.number_format(round((record.lower_bound or 0) * 100, 1), 1)
            )
