"""What lateness costs, and what was credited for it: schedules, entries, statements, closed months."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from slas.promises.models import ServiceTier


class CreditSchedule(models.Model):
    """What a late or lost parcel of a tier is credited with, from a date on. A change is a new version."""

    tier = models.ForeignKey(
        ServiceTier, models.PROTECT, related_name="credit_schedules", verbose_name=_("tier")
    )
    number = models.PositiveIntegerField(_("version"))
    valid_from = models.DateTimeField(_("valid from"))
    # [{"late_by_minutes": 0, "share_percent": 20}, ...]: the last band passed counts.
    bands = models.JSONField(_("share of the fee by lateness"))
    cap_fen = models.PositiveIntegerField(_("at most (fen)"))
    lost_fen = models.PositiveIntegerField(_("for a lost parcel (fen)"))

    class Meta:
        verbose_name = _("credit schedule")
        verbose_name_plural = _("credit schedules")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tier", "number"], name="credit_schedule_number_once"),
            models.UniqueConstraint(fields=["tier", "valid_from"], name="credit_schedule_start_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tier} v{self.number}"
