"""Homes of couriers: in which parts of a cluster their parcels are."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.homes import HOMES
from couriers.homes.querysets import CourierHomeQuerySet
from couriers.standing.models import Courier


class CourierHome(models.Model):
    """A home of a courier: a part of the hash range in which its parcels' ids lie (alliance/homes.py).

    New parcels go to the homes that have not ended; parcels of earlier ones stay there. A row without a home
    stands for all of them: parcels from before the courier had homes, or of imported history, lie anywhere. A
    courier without rows has no home yet, and its parcels go anywhere.
    """

    courier = models.ForeignKey(Courier, models.PROTECT, related_name="+", verbose_name=_("courier"))
    home = models.SmallIntegerField(_("home"), null=True)
    # Begin and end are noted a while ahead, so that all processes know of them when they come.
    since = models.DateTimeField(_("new parcels since"))
    until = models.DateTimeField(_("new parcels until"), null=True)
    # The part of all parcels of the alliance that comes to this home by this courier, when last counted.
    share_ppm = models.IntegerField(_("share of all parcels, in millionths"), default=0)

    objects = models.Manager.from_queryset(CourierHomeQuerySet)()

    class Meta:
        verbose_name = _("home of a courier")
        verbose_name_plural = _("homes of couriers")
        ordering: ClassVar[list[str]] = ["courier", "home"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["courier", "home"], name="courier_home_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                name="courier_home_is_one",
                condition=Q(home__isnull=True) | (Q(home__gte=0) & Q(home__lt=HOMES)),
            ),
            models.CheckConstraint(
                name="courier_home_of_all_ends", condition=Q(home__isnull=False) | Q(until__isnull=False)
            ),
            models.CheckConstraint(
                name="courier_home_share",
                condition=Q(share_ppm__gte=0) & Q(share_ppm__lte=1_000_000),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.courier_id}: {'-' if self.home is None else self.home}"
