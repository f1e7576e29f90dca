"""Add credit schedules, withdraw them before they are in force, read all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.tenancy import Actor, require
from slas.credits.models import CreditSchedule
from slas.credits.rules import Schedule, Schedules, bands_from, check_bands
from slas.promises.models import ServiceTier
from slas.promises.prices import MAX_FEN
from slas.promises.rules import MOST_AHEAD


@dataclass(frozen=True, slots=True)
class ScheduleRules:
    """The rules of a version of a schedule, in the form they are stored."""

    valid_from: datetime
    bands: list[dict[str, int]]
    cap_fen: int
    lost_fen: int


@transaction.atomic
def add_schedule(*, actor: Actor, tier_id: int, rules: ScheduleRules, now: datetime) -> CreditSchedule:
    """Add a schedule of a tier for parcels booked from a later moment on.

    Raises NotFound for an unknown tier, InvalidInput for inconsistent rules or a start that is not after now
    and after every existing version.
    """
    require(actor, Capability.OPERATE)
    # Lock the tier: two versions added at once would get the same number.
    tier = ServiceTier.objects.select_for_update().filter(pk=tier_id).first()
    if tier is None:
        raise NotFound
    latest = tier.credit_schedules.aggregate(number=Max("number"), valid_from=Max("valid_from"))
    errors = list(_problems(rules, now, latest["valid_from"]))
    if errors:
        raise InvalidInput(errors=errors)
    schedule = CreditSchedule.objects.create(
        tier=tier,
        number=(latest["number"] or 0) + 1,
        valid_from=rules.valid_from,
        bands=rules.bands,
        cap_fen=rules.cap_fen,
        lost_fen=rules.lost_fen,
    )
    _record(actor, "credit_schedule.added", schedule)
    return schedule


@transaction.atomic
def withdraw_schedule(*, actor: Actor, schedule_id: int, now: datetime) -> None:
    """Withdraw a version not in force yet. Raises Conflict once it is: parcels were booked by it."""
    require(actor, Capability.OPERATE)
    schedule = CreditSchedule.objects.select_for_update().filter(pk=schedule_id).first()
    if schedule is None:
        raise NotFound
    if schedule.valid_from <= now:
        raise Conflict(
            _("A schedule that was in force must stay: parcels were booked under it."), code="in_force"
        )
    _record(actor, "credit_schedule.withdrawn", schedule)
    schedule.delete()


def all_schedules() -> Schedules:
    """Read every version of every tier: there are few, and past ones still apply to their parcels."""
    return Schedules((row.tier_id, row.valid_from, _rule_of(row)) for row in CreditSchedule.objects.all())


def _rule_of(row: CreditSchedule) -> Schedule:
    return Schedule(row.pk, bands_from(row.bands), row.cap_fen, row.lost_fen)


def _problems(rules: ScheduleRules, now: datetime, newest: datetime | None) -> Iterator[FieldError]:
    if rules.valid_from <= now:
        yield FieldError("/valid_from", _("A schedule must start in the future."), "past")
    elif rules.valid_from > now + MOST_AHEAD:
        yield FieldError("/valid_from", _("Schedules are announced at most three years ahead."), "far")
    elif newest is not None and rules.valid_from <= newest:
        yield FieldError("/valid_from", _("A version already starts at that moment or later."), "order")
    try:
        check_bands(bands_from(rules.bands))
    except ValueError as error:
        yield FieldError("/bands", str(error), "order")
    for name in ("cap_fen", "lost_fen"):
        if not 0 <= getattr(rules, name) <= MAX_FEN:
            yield FieldError(f"/{name}", _("The amount is too large."), "too_large")
    if rules.lost_fen < rules.cap_fen:
        message = _("A lost parcel must be credited at least as much as a late one.")
        yield FieldError("/lost_fen", message, "order")


def _record(actor: Actor, verb: str, schedule: CreditSchedule) -> None:
    detail: dict[str, Any] = {
        "tier": schedule.tier.code,
        "number": schedule.number,
        "valid_from": schedule.valid_from,
        "bands": schedule.bands,
        "cap_fen": schedule.cap_fen,
        "lost_fen": schedule.lost_fen,
    }
    audit.record(actor=actor, verb=verb, object_type="credit_schedule", object_id=schedule.pk, detail=detail)
