"""Tiers, their versioned rules, and closures."""

from typing import ClassVar

from django.db import models
from django.utils import timezone, translation
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from alliance.models import City
from slas.choices import ClosureSide, TierCode
from slas.promises.holidays import HOLIDAY_NAMES


class ServiceTier(models.Model):
    """The service a merchant buys: same-day, next-day or standard delivery."""

    id = models.SmallAutoField(primary_key=True)
    code = models.CharField(_("code"), max_length=20, unique=True, choices=TierCode)
    name_en = models.CharField(_("English name"), max_length=60)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    active = models.BooleanField(_("on sale"), default=True)

    class Meta:
        verbose_name = _("service tier")
        verbose_name_plural = _("service tiers")
        ordering: ClassVar[list[str]] = ["position"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_zh if translation.get_language() == "zh-hans" else self.name_en


class TierVersion(models.Model):
    """The rules of a tier from a date on. A change is a new version; commitments keep theirs."""

    tier = models.ForeignKey(ServiceTier, models.PROTECT, related_name="versions", verbose_name=_("tier"))
    number = models.PositiveIntegerField(_("version"))
    valid_from = models.DateTimeField(_("valid from"))
    # {"0": {"time": "18:00", "day_offset": 0}, ...}: Monday is 0; a weekday left out has no service.
    cut_offs = models.JSONField(_("cut-offs by weekday"))
    pickup_by = models.TimeField(_("pickup by"))
    deliver_by = models.TimeField(_("deliver by"))
    days_in_transit = models.PositiveSmallIntegerField(_("days in transit"))
    delivery_weekdays = models.JSONField(_("weekdays delivered"), default=list)
    works_on_holidays = models.BooleanField(_("works on public holidays"), default=True)
    # [{"up_to_g": 1000, "surcharge_fen": 0}, ...]: added to the offer's price.
    weight_bands = models.JSONField(_("price by weight"))

    class Meta:
        verbose_name = _("tier version")
        verbose_name_plural = _("tier versions")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tier", "number"], name="tier_version_number_once"),
            models.UniqueConstraint(fields=["tier", "valid_from"], name="tier_version_start_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tier} v{self.number}"


class Closure(models.Model):
    """A day, or hours of one, in which a country, a province or a city does not work."""

    date = models.DateField(_("date"))
    # Local wall clock; both empty for the whole day. An end at midnight is stored as empty.
    starts = models.TimeField(pgettext_lazy("beginning", "from"), null=True, blank=True)
    ends = models.TimeField(pgettext_lazy("end", "to"), null=True, blank=True)
    side = models.CharField(_("side"), max_length=12, choices=ClosureSide, default=ClosureSide.BOTH)
    country = models.CharField(_("country"), max_length=2)
    province = models.CharField(_("province"), max_length=120, blank=True)
    city = models.ForeignKey(
        City, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("city")
    )
    name = models.CharField(_("name"), max_length=120)
    is_public_holiday = models.BooleanField(_("public holiday"), default=False)
    announced_at = models.DateTimeField(_("announced"), default=timezone.now)
    # Kept when withdrawn: promises made in between depended on it.
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    class Meta:
        verbose_name = _("closure")
        verbose_name_plural = _("closures")
        ordering: ClassVar[list[str]] = ["-date"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["date", "country", "province", "city", "name", "starts"],
                name="closure_declared_once",
                condition=models.Q(withdrawn_at=None),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="closure_ends_after_start",
                condition=models.Q(ends=None) | models.Q(starts__isnull=False, ends__gt=models.F("starts")),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Reads the calendar around a promise.
            models.Index(fields=["date", "country"], name="closure_by_date"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {gettext(self.name) if self.name in HOLIDAY_NAMES else self.name}"
