"""Replays of promises: what any version of a tier's rules promises, or would have promised.

Nothing is stored for it: rules and closures are kept for ever, with the time each was announced.
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

# From the first year with a calendar to the last that tracking numbers reach.
FIRST_YEAR, LAST_YEAR = 2016, 2084


@dataclass(frozen=True, slots=True)
class Question:
    """A journey and its times. Only closures announced by `known_at` count."""

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
    """The answer of one version: a promise, or why there is none."""

    version: TierVersion
    is_in_force: bool
    promise: Promise | None
    refusal: str = ""


def would_promise(
    *, actor: Actor, question: Question, tier_id: int, version_id: int | None = None
) -> list[Answer]:
    """Return what a version of a tier, or all of them, would promise.

    The one in force comes first, then the newest.

    Rules and closures are not confidential: everyone with a log-in or a key may ask. Raises NotPermitted for
    anonymous actors, InvalidInput for impossible times, NotFound for an unknown tier or version.
    """
    if actor.is_anonymous:
        raise NotPermitted
    if errors := list(_problems(question)):
        raise InvalidInput(errors=errors)
    versions = list(
        TierVersion.objects.filter(tier_id=tier_id).select_related("tier").order_by("-valid_from")
    )
    in_force = next((item.pk for item in versions if item.valid_from <= question.booked_at), None)
    selected = [item for item in versions if version_id in (None, item.pk)]
    if not selected:
        raise NotFound
    selected.sort(key=lambda item: item.pk != in_force)
    closures = calendar_at(question.booked_at, known_at=question.known_at)
    return [_answer(version, question, closures, version.pk == in_force) for version in selected]


def replay_booking(
    *, version: TierVersion, question: Question, pickup_by: datetime, deliver_by: datetime
) -> Promise | None:
    """Recompute the promise a booking was frozen with; None if the result differs.

    A booking takes a later day when earlier days are full, so as many days are tried.
    """
    closures = calendar_at(question.booked_at, known_at=question.known_at)
    try:
        rule = rule_of(version, TierCode(version.tier.code))
        candidate = _promise(rule, question, closures, question.ready_at)
        for _later in range(LATER_DAYS):
            if candidate.pickup_by >= pickup_by:
                break
            candidate = day_after(
                candidate,
                lambda ready_at: _promise(rule, question, closures, ready_at),
                question.origin.time_zone,
            )
    except (NoPromise, ValueError):
        # An old version, entered by hand, may be refused by today's rules.
        return None
    return candidate if (candidate.pickup_by, candidate.deliver_by) == (pickup_by, deliver_by) else None


def find_tier(code: str) -> ServiceTier:
    """Return the tier of that code, on sale or not. Raises InvalidInput."""
    tier = ServiceTier.objects.filter(code=code).first()
    if tier is None:
        raise InvalidInput(errors=[FieldError("/tier", _("Unknown service."), "unknown")])
    return tier


def range_text() -> str:
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
        answer = _promise(rule, question, closures, question.ready_at)
    except NoPromise as refusal:
        return Answer(version, is_in_force, None, str(refusal.reason.label))
    except ValueError:
        return Answer(version, is_in_force, None, _("The rules of this version are not valid."))
    return Answer(version, is_in_force, answer)


def _problems(question: Question) -> Iterator[FieldError]:
    for name, moment in question._moments:
        if moment.utcoffset() is None:
            yield FieldError(f"/{name}", _("Include the UTC offset."), "naive")
            return
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            yield FieldError(f"/{name}", range_text(), "range")
            return
    if question.ready_at < question.booked_at:
        yield FieldError("/ready_at", _("The ready time must not be before the booking."), "order")
    elif question.ready_at > question.booked_at + READY_AHEAD:
        message = _("Book at most %d days ahead.") % READY_AHEAD.days
        yield FieldError("/ready_at", message, "too_far_ahead")
