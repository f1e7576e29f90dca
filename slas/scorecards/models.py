"""Scorecards of couriers by month, and the published rules they are scored by."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import User
from couriers.choices import Grade
from couriers.models import Courier
from slas.choices import ScorecardState, ScoreComponent
from slas.columns import dimension
from slas.scorecards.querysets import ScorecardQuerySet
from slas.scorecards.rules import Measured, Month, Rules


class ScoreRules(models.Model):
    """Weights, bands and thresholds valid from a month. A change is a new version; scorecards keep theirs."""

    number = models.PositiveIntegerField(_("version"), unique=True)
    # The first day of the first month they are valid for.
    valid_from = models.DateField(_("from month"), unique=True)
    # {"delivery_on_time": 50, ...}: percent, adding up to 100.
    weights = models.JSONField(_("weights"))
    # {"delivery_on_time": [[0.98, 100], [0.95, 90], ...], ...}: the first threshold reached gives the points.
    bands = models.JSONField(_("points by band"))
    # {"gold": 90, "silver": 80, "member": 60}: the least score; below the last is probation.
    grades = models.JSONField(_("minimum score by grade"))
    minimum_volume = models.PositiveIntegerField(_("minimum deliveries for a grade"))
    note = models.CharField(_("reason"), max_length=300, blank=True)
    created_by = dimension(User, _("created by"), null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("scorecard rules")
        verbose_name_plural = _("scorecard rules")
        ordering: ClassVar[list[str]] = ["-number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="score_rules_from_a_first", condition=Q(valid_from__day=1)),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"

    @property
    def rules(self) -> Rules:
        return Rules.from_stored(self.weights, self.bands, self.grades, self.minimum_volume)


class Scorecard(models.Model):
    """A courier's month. Recomputed until the dispute window ends, then frozen.

    A trigger refuses to change or delete a frozen scorecard, and to change rules at all.
    """

    courier = dimension(Courier, _("courier"))
    # The first day of the month.
    month = models.DateField(_("month"))
    rules = models.ForeignKey(ScoreRules, models.PROTECT, related_name="+", verbose_name=_("rules"))
    # {"delivery_on_time": {"value": 0.953, "n": 812}, ...}; value null where n is 0.
    components = models.JSONField(_("components"))
    score = models.DecimalField(_("score"), max_digits=5, decimal_places=2, null=True)
    n = models.PositiveIntegerField(_("deliveries judged"))
    # Empty below the minimum volume.
    grade = models.CharField(_("grade"), max_length=10, choices=Grade, blank=True)
    rank = models.PositiveIntegerField(_("rank"), null=True)
    ranked = models.PositiveIntegerField(_("couriers ranked"), default=0)
    computed_at = models.DateTimeField(_("calculated"))
    frozen_at = models.DateTimeField(_("final since"), null=True)

    objects = models.Manager.from_queryset(ScorecardQuerySet)()

    class Meta:
        verbose_name = _("scorecard")
        verbose_name_plural = _("scorecards")
        ordering: ClassVar[list[str]] = ["-month", "rank"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["courier", "month"], name="scorecard_once_a_month"),
            models.CheckConstraint(name="scorecard_of_a_month", condition=Q(month__day=1)),
            models.CheckConstraint(
                name="scorecard_score_in_range", condition=Q(score=None) | Q(score__range=(0, 100))
            ),
            # A scorecard has a rank if and only if it has a grade.
            models.CheckConstraint(
                name="scorecard_graded_is_ranked",
                condition=Q(grade="", rank=None)
                | (
                    Q(grade__in=Grade.values, score__isnull=False, rank__isnull=False)
                    & Q(rank__gte=1, rank__lte=F("ranked"))
                ),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The nightly run looks for final months; the admin and a what-if list the couriers of a month.
            models.Index(fields=["month", "courier"], name="scorecard_by_month"),
        ]

    def __str__(self) -> str:
        return f"{self.courier} {self.month:%Y-%m}"

    @property
    def is_final(self) -> bool:
        return self.frozen_at is not None

    @property
    def state(self) -> ScorecardState:
        return ScorecardState.FINAL if self.is_final else ScorecardState.PROVISIONAL

    @property
    def measured(self) -> Month:
        """The components it was computed from."""
        components = {ScoreComponent(name): stored for name, stored in self.components.items()}
        return Month(
            {name: Measured(stored["value"], stored["n"]) for name, stored in components.items()}, self.n
        )
