"""How far parcels had come, which forecasts are made from, and the parcels to look at."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from alliance.models import City
from couriers.models import Courier
from slas.columns import dimension
from slas.promises.models import ServiceTier


class ProgressColumns(models.Model):
    """A courier's deliveries of a lane and tier that fell due on a day."""

    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    due_date = models.DateField(_("due date"))

    class Meta:
        abstract = True


class ProgressTally(ProgressColumns):
    """Marks of how far deliveries had come (slas/commitments/landmarks.py) waiting to be folded, then
    consumed."""

    marks = ArrayField(models.IntegerField())

    class Meta:
        verbose_name = _("progress tally")
        verbose_name_plural = _("progress tallies")

    def __str__(self) -> str:
        return f"{self.courier_id} {self.due_date}"


class Progress(ProgressColumns):
    """How early or late deliveries were, by how far they had come before: what forecasts are made from.

    A histogram as two arrays, each mark and how many have it: a hundredth of what a row a bin takes.
    """

    pk = models.CompositePrimaryKey("courier_id", "due_date", "tier_id", "origin_id", "destination_id")
    marks = ArrayField(models.IntegerField())
    counts = ArrayField(models.IntegerField())

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        indexes: ClassVar[list[models.Index]] = [
            # A forecast: how did parcels of a lane do?
            models.Index(fields=["origin", "destination", "tier", "due_date"], name="progress_by_lane"),
        ]

    def __str__(self) -> str:
        return f"{self.courier_id} {self.due_date}"
