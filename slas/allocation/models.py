"""The rules by which a merchant chooses among couriers."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import City, Organisation
from slas.allocation.querysets import AllocationRuleQuerySet
from slas.choices import RuleAction
from slas.promises.models import ServiceTier


class AllocationRule(models.Model):
    """One rule of a merchant's list: for which parcels, and what it does with the couriers on sale.

    What each value means is told by `slas.allocation.rules.Rule`. An end is a city, or a province of a
    country, or empty for any.
    """

    merchant = models.ForeignKey(
        Organisation, models.PROTECT, db_index=False, related_name="+", verbose_name=_("merchant")
    )
    position = models.PositiveSmallIntegerField(_("position"))
    name = models.CharField(_("name"), max_length=60)
    is_active = models.BooleanField(_("on"), default=True)
    tier = models.ForeignKey(
        ServiceTier, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("tier")
    )
    origin = models.ForeignKey(
        City, models.PROTECT, null=True, blank=True, db_index=False, related_name="+", verbose_name=_("from")
    )
    origin_country = models.CharField(_("country of origin"), max_length=2, blank=True)
    origin_province = models.CharField(_("province of origin"), max_length=120, blank=True)
    destination = models.ForeignKey(
        City, models.PROTECT, null=True, blank=True, db_index=False, related_name="+", verbose_name=_("to")
    )
    destination_country = models.CharField(_("country of destination"), max_length=2, blank=True)
    destination_province = models.CharField(_("province of destination"), max_length=120, blank=True)
    least_g = models.PositiveIntegerField(_("from weight (g)"), null=True, blank=True)
    most_g = models.PositiveIntegerField(_("up to weight (g)"), null=True, blank=True)
    least_declared_fen = models.PositiveIntegerField(_("from declared value (fen)"), null=True, blank=True)
    most_declared_fen = models.PositiveIntegerField(_("up to declared value (fen)"), null=True, blank=True)
    reference_prefix = models.CharField(_("reference begins with"), max_length=64, blank=True)
    action = models.CharField(_("action"), max_length=16, choices=RuleAction)
    # Courier id, as text -> percent of a split, 0 otherwise. Couriers are never deleted.
    couriers = models.JSONField(_("couriers"), default=dict, blank=True)
    # Tenths of a percent.
    least_score = models.PositiveSmallIntegerField(_("least reliability (‰)"), default=0)
    most_fen = models.PositiveIntegerField(_("highest price (fen)"), default=0)
    stops = models.BooleanField(_("no further rule"), default=False)
    # The rules are read anew by a booking when this changes: see `rules_in_force`.
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)

    objects = models.Manager.from_queryset(AllocationRuleQuerySet)()

    class Meta:
        verbose_name = _("allocation rule")
        verbose_name_plural = _("allocation rules")
        ordering: ClassVar[list[str]] = ["merchant_id", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Its index is the one that bookings read. Deferred: two rules change places.
            models.UniqueConstraint(
                fields=["merchant", "position"],
                name="allocation_rule_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                name="allocation_rule_action_known", condition=Q(action__in=RuleAction.values)
            ),
            models.CheckConstraint(
                name="allocation_rule_weights_ordered",
                condition=Q(least_g=None) | Q(most_g=None) | Q(least_g__lte=F("most_g")),
            ),
            models.CheckConstraint(
                name="allocation_rule_ends_single",
                condition=(Q(origin=None) | Q(origin_province=""))
                & (Q(destination=None) | Q(destination_province="")),
            ),
            models.CheckConstraint(name="allocation_rule_score_is_ratio", condition=Q(least_score__lte=1000)),
        ]

    def __str__(self) -> str:
        return self.name
