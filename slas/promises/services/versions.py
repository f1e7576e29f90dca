"""Add versions of a tier's rules, and withdraw them before they are in force."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.tenancy import Actor, require
from slas.choices import TierCode
from slas.promises.models import ServiceTier, TierVersion
from slas.promises.prices import check_bands
from slas.promises.rules import MOST_AHEAD
from slas.promises.tiers_in_force import bands_of, rule_of


@dataclass(frozen=True, slots=True)
class VersionRules:
    """The rules of a version, in the form they are stored."""

    valid_from: datetime
    cut_offs: dict[str, dict[str, Any]]
    pickup_by: time
    deliver_by: time
    days_in_transit: int
    delivery_weekdays: list[int]
    works_on_holidays: bool
    weight_bands: list[dict[str, int]]


@transaction.atomic
def add_version(*, actor: Actor, tier_id: int, rules: VersionRules, now: datetime) -> TierVersion:
    """Add rules of a tier that are valid from a later moment; promises made until then keep theirs.

    Raises NotFound for an unknown tier, InvalidInput for inconsistent rules or a start that is not after now
    and after every existing version.
    """
    require(actor, Capability.OPERATE)
    # Lock the tier: two versions added at once would get the same number.
    tier = ServiceTier.objects.select_for_update().filter(pk=tier_id).first()
    if tier is None:
        raise NotFound
    latest = tier.versions.aggregate(number=Max("number"), valid_from=Max("valid_from"))
    version = TierVersion(tier=tier, number=(latest["number"] or 0) + 1, **_columns(rules))
    errors = list(_problems(version, now, latest["valid_from"]))
    if errors:
        raise InvalidInput(errors=errors)
    version.save()
    _record(actor, "tier_version.added", version)
    return version


@transaction.atomic
def withdraw_version(*, actor: Actor, version_id: int, now: datetime) -> None:
    """Withdraw a version not in force yet. Raises Conflict once it is: promises refer to it."""
    require(actor, Capability.OPERATE)
    version = TierVersion.objects.select_for_update().select_related(None).filter(pk=version_id).first()
    if version is None:
        raise NotFound
    if version.valid_from <= now:
        raise Conflict(_("A version that was in force must stay: promises were made by it."), code="in_force")
    _record(actor, "tier_version.withdrawn", version)
    version.delete()


def _columns(rules: VersionRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in VersionRules.__slots__}


def _problems(version: TierVersion, now: datetime, newest: datetime | None) -> Iterator[FieldError]:
    if version.valid_from <= now:
        yield FieldError("/valid_from", _("Rules must start in the future."), "past")
    elif version.valid_from > now + MOST_AHEAD:
        # A mistyped year would block every version before it.
        yield FieldError("/valid_from", _("Rules are announced at most three years ahead."), "far")
    elif newest is not None and version.valid_from <= newest:
        yield FieldError("/valid_from", _("A version already starts at that moment or later."), "order")
    if version.days_in_transit == 0 and version.deliver_by <= version.pickup_by:
        yield FieldError(
            "/deliver_by",
            _("For delivery on the same day, the delivery time must be after the pickup time."),
            "order",
        )
    yield from _rule_problems(version)
    try:
        check_bands(bands_of(version))
    except ValueError as error:
        yield FieldError("/weight_bands", str(error), "order")


def _rule_problems(version: TierVersion) -> Iterator[FieldError]:
    try:
        rule = rule_of(version, TierCode(version.tier.code))
    except ValueError as error:
        yield FieldError("/pickup_by", str(error), "order")
        return
    if not rule.picks_up:
        yield FieldError("/cut_offs", _("Enter a cut-off for at least one weekday."), "required")


def _record(actor: Actor, verb: str, version: TierVersion) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="tier_version",
        object_id=version.pk,
        detail={"tier": version.tier.code, "number": version.number, "valid_from": version.valid_from},
    )
