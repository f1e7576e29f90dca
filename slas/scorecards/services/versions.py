"""Versions of the scorecard rules: find the one of a month, preview another, add and withdraw one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.locks import Lock, wait_for
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from couriers.choices import Grade
from slas.scorecards.checks import problems
from slas.scorecards.models import Scorecard, ScoreRules
from slas.scorecards.rules import Rules, judge_month, month_after, month_of

NOTE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class RulesDraft:
    """Rules as they would be stored, not validated yet."""

    weights: Mapping[str, Any]
    bands: Mapping[str, Sequence[Any]]
    grades: Mapping[str, Any]
    minimum_volume: int

    @classmethod
    def of(cls, version: ScoreRules) -> Self:
        return cls(version.weights, version.bands, version.grades, version.minimum_volume)

    @property
    def rules(self) -> Rules:
        return Rules.from_stored(self.weights, self.bands, self.grades, self.minimum_volume)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a scorecard. No grade and no rank below the minimum volume."""

    score: Decimal | None
    rank: int | None
    grade: Grade | None


@dataclass(frozen=True, slots=True)
class Change:
    """One courier's month by the rules it was scored by, and by other rules."""

    courier: str
    n: int
    before: Verdict
    after: Verdict

    @property
    def changes(self) -> bool:
        return self.before != self.after

    @property
    def changes_grade(self) -> bool:
        return self.before.grade != self.after.grade


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Every courier's month by two sets of rules, ordered by the new rank."""

    month: date
    is_final: bool
    changes: list[Change]

    @property
    def totals(self) -> list[tuple[Grade | None, int, int]]:
        """The number of couriers with each grade, before and after; None is no grade."""
        before = Counter(change.before.grade for change in self.changes)
        after = Counter(change.after.grade for change in self.changes)
        return [(grade, before[grade], after[grade]) for grade in (*Grade, None)]

    @property
    def changed(self) -> int:
        return sum(change.changes for change in self.changes)


def rules_for(month: date) -> ScoreRules:
    """Return the version a month is scored by; months before the first version use the first."""
    versions = ScoreRules.objects.order_by("-valid_from")
    return versions.filter(valid_from__lte=month).first() or versions.reverse()[0]


def first_month_open(now: datetime) -> date:
    """Return the first month that new rules can be valid for: the next one."""
    return month_after(month_of(timezone.localdate(now)))


def try_rules(*, actor: Actor, draft: RulesDraft, now: datetime) -> WhatIf:
    """Return how rules would change last month's scorecards, without changing any.

    Raises NotPermitted for everyone but ops, InvalidInput for inconsistent rules.
    """
    require(actor, Capability.OPERATE)
    if errors := list(problems(**asdict(draft))):
        raise InvalidInput(errors=errors)
    month = month_after(month_of(timezone.localdate(now)), -1)
    cards = list(Scorecard.objects.filter(month=month).order_by("rank", "-score", "pk"))
    cards_after = judge_month({card.courier_id: card.measured for card in cards}, draft.rules)
    names = dict(Organisation.objects.filter(pk__in=cards_after).values_list("pk", "name"))
    changes = [
        Change(
            names.get(card.courier_id, "?"),
            card.n,
            Verdict(card.score, card.rank, Grade(card.grade) if card.grade else None),
            Verdict(card_after.score, card_after.rank, card_after.grade),
        )
        for card in cards
        for card_after in [cards_after[card.courier_id]]
    ]
    changes.sort(key=lambda change: (change.after.rank is None, change.after.rank or 0))
    return WhatIf(month, bool(cards) and cards[0].frozen_at is not None, changes)


@transaction.atomic
def add_rules(
    *, actor: Actor, draft: RulesDraft, valid_from: date, note: str = "", now: datetime
) -> ScoreRules:
    """Add a version valid from a later month; earlier months, and final ones, keep theirs.

    Raises NotPermitted for everyone but ops, InvalidInput for inconsistent rules, or for a month that has
    begun or is not after the newest version's.
    """
    require(actor, Capability.OPERATE)
    wait_for(Lock.ADD_SCORE_RULES)
    latest = ScoreRules.objects.aggregate(number=Max("number"), valid_from=Max("valid_from"))
    errors = [*problems(**asdict(draft)), *_date_problems(valid_from, latest["valid_from"], now)]
    if len(note) > NOTE_LENGTH:
        errors.append(
            FieldError("/note", _("At most %(most)d characters.") % {"most": NOTE_LENGTH}, "length")
        )
    if errors:
        raise InvalidInput(errors=errors)
    version = ScoreRules.objects.create(
        number=latest["number"] + 1,
        valid_from=valid_from,
        **asdict(draft),
        note=note.strip(),
        created_by_id=actor.user_id,
        created_at=now,
    )
    _record(actor, "score_rules.added", version)
    return version


@transaction.atomic
def withdraw_rules(*, actor: Actor, rules_id: int, now: datetime) -> None:
    """Withdraw a version whose first month has not begun. Raises Conflict once it has."""
    require(actor, Capability.OPERATE)
    version = ScoreRules.objects.select_for_update().filter(pk=rules_id).first()
    if version is None:
        raise NotFound
    if version.valid_from < first_month_open(now):
        raise Conflict(_("Rules that months were scored by must stay."), code="in_force")
    _record(actor, "score_rules.withdrawn", version)
    version.delete()


def _date_problems(valid_from: date, newest: date, now: datetime) -> list[FieldError]:
    if valid_from.day != 1:
        return [FieldError("/valid_from", _("Rules apply to whole months: enter the first day."), "month")]
    if valid_from < first_month_open(now):
        return [FieldError("/valid_from", _("Rules can change from next month at the earliest."), "past")]
    if valid_from <= newest:
        return [FieldError("/valid_from", _("A version already starts in that month or later."), "order")]
    return []


def _record(actor: Actor, verb: str, version: ScoreRules) -> None:
    detail = {"number": version.number, "valid_from": version.valid_from, **asdict(RulesDraft.of(version))}
    audit.record(actor=actor, verb=verb, object_type="score_rules", object_id=version.pk, detail=detail)
