"""What was, or would have been, promised: one question put to any version of a tier's rules.

Nothing is stored for it: rules and closures are kept for ever, with when each was announced.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from alliance.errors import FieldError, InvalidInput, NotFound, NotPermitted
from alliance.models import City
from alliance.tenancy import Actor
from slas.choices import TierCode
from slas.promises.checks import READY_AHEAD
from slas.promises.closures import ClosureCalendar
from slas.promises.models import ServiceTier, TierVersion
from slas.promises.rules import LATER_DAYS, NoPromise, Promise, TierRule, day_after, promise
from slas.promises.tiers_in_force import calendar_at, place_of, rule_of

# From the first day anything could be promised to the last that tracking numbers reach.
FIRST_YEAR, LAST_YEAR = 2016, 2084


@dataclass(frozen=True, slots=True)
class Question:
    """A journey and its moments. Closures count that were announced by `known_at`."""

    origin: City
    destination: City
    booked_at: datetime
    ready_at: datetime
    known_at: datetime

    @property
    def _moments(self) -> Iterator[tuple[str, datetime]]:
        for name in ("booked_at", "ready_at", "known_at"):
            yield name, getattr(self, name)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one version makes of a question: a promise, or why there is none."""

    version: TierVersion
    is_in_force: bool
    promise: Promise | None
    refusal: str = ""


def would_promise(
    *, actor: Actor, question: Question, tier_id: int, version_id: int | None = None
) -> list[Answer]:
    """Put the question to a version of a tier, or to all of them, the newest first.

    Rules and closures are no secret of anybody's: whoever has a log-in or a key may ask. Raises
    NotPermitted for strangers, InvalidInput for moments that cannot be, NotFound for what is not there.
    """
    if actor.is_anonymous:
        raise NotPermitted
    if errors := list(_problems(question)):
        raise InvalidInput(errors=errors)
    versions = list(
        TierVersion.objects.filter(tier_id=tier_id).select_related("tier").order_by("-valid_from")
    )
    in_force = next((item.pk for item in versions if item.valid_from <= question.booked_at), None)
    asked = [item for item in versions if version_id in (None, item.pk)]
    if not asked:
        raise NotFound
    closures = calendar_at(question.booked_at, known_at=question.known_at)
    return [_answer(version, question, closures, version.pk == in_force) for version in asked]


def replay_booking(
    *, version: TierVersion, question: Question, pickup_by: datetime, deliver_by: datetime
) -> Promise | None:
    """Work out again the promise a booking was frozen with; None when it does not come out the same.

    A booking takes a later day when those before it are full: so many days are tried.
    """
    closures = calendar_at(question.booked_at, known_at=question.known_at)
    try:
        rule = rule_of(version, TierCode(version.tier.code))
        found = _promise(rule, question, closures, question.ready_at)
        for _later in range(LATER_DAYS):
            if found.pickup_by >= pickup_by:
                break
            found = day_after(
                found,
                lambda ready_at: _promise(rule, question, closures, ready_at),
                question.origin.time_zone,
            )
    except (NoPromise, ValueError):
        # A version entered by hand long ago may be one that today's rules refuse.
        return None
    return found if (found.pickup_by, found.deliver_by) == (pickup_by, deliver_by) else None


def find_tier(code: str) -> ServiceTier:
    """The tier of that code, on sale or not. Raises InvalidInput."""
    tier = ServiceTier.objects.filter(code=code).first()
    if tier is None:
        raise InvalidInput(errors=[FieldError("/tier", _("There is no such service."), "unknown")])
    return tier


def range_text() -> str:
    """Which days a question can be about."""
    return _("Choose a day from %(first)d to %(last)d.") % {"first": FIRST_YEAR, "last": LAST_YEAR}


def _promise(rule: TierRule, question: Question, closures: ClosureCalendar, ready_at: datetime) -> Promise:
    return promise(
        rule,
        place_of(question.origin),
        place_of(question.destination),
        ready_at,
        closures,
        booked_at=question.booked_at,
    )


def _answer(version: TierVersion, question: Question, closures: ClosureCalendar, is_in_force: bool) -> Answer:
    try:
        rule = rule_of(version, TierCode(version.tier.code))
        found = _promise(rule, question, closures, question.ready_at)
    except NoPromise as refusal:
        return Answer(version, is_in_force, None, str(refusal.reason.label))
    except ValueError:
        return Answer(version, is_in_force, None, _("This version's rules make no sense."))
    return Answer(version, is_in_force, found)


def _problems(question: Question) -> Iterator[FieldError]:
    for name, moment in question._moments:
        if moment.utcoffset() is None:
            yield FieldError(f"/{name}", _("Give the time with its UTC offset."), "naive")
            return
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            yield FieldError(f"/{name}", range_text(), "range")
            return
    if question.ready_at < question.booked_at:
        yield FieldError("/ready_at", _("A parcel is ready when it is booked, or later."), "order")
    elif question.ready_at > question.booked_at + READY_AHEAD:
        message = _("Book at most %d days ahead.") % READY_AHEAD.days
        yield FieldError("/ready_at", message, "too_far_ahead")
