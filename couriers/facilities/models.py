"""Warehouses and distribution centres that couriers share."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.models import City
from couriers.choices import FacilityKind
from couriers.facilities.querysets import FacilityQuerySet


class Facility(models.Model):
    """A warehouse, distribution centre or collection point that the alliance's couriers share."""

    name = models.CharField(_("name"), max_length=200)
    city = models.ForeignKey(City, models.PROTECT, related_name="+", verbose_name=_("city"))
    kind = models.CharField(_("kind"), max_length=20, choices=FacilityKind)

    objects = models.Manager.from_queryset(FacilityQuerySet)()

    class Meta:
        verbose_name = _("facility")
        verbose_name_plural = _("facilities")
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["city", "name"], name="facility_name_once_a_city"),
            models.CheckConstraint(name="facility_kind_known", condition=Q(kind__in=FacilityKind.values)),
        ]

    def __str__(self) -> str:
        return self.name
