"""Counts of outcomes: tallies waiting to be folded, and the cells they are folded into."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.models import City, Organisation
from couriers.models import Courier
from slas.choices import CommitmentKind, Measure
from slas.columns import TallyColumns, dimension
from slas.commitments.querysets import JudgedQuerySet
from slas.promises.models import ServiceTier
from slas.rates.querysets import OnTimeRateQuerySet


class Tally(TallyColumns):
    """A change of counts waiting to be folded into the on-time rates; deleted when folded."""

    # The least of the parcels it counts, by which it is placed on a cluster; 0 in tallies from before.
    # The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    parcel_id = models.BigIntegerField(db_default=0)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    kind = models.CharField(max_length=10, choices=CommitmentKind)
    due_date = models.DateField()
    # Bins of lateness and of reasons to count up, or down if negative: see slas/commitments/histograms.py.
    marks = ArrayField(models.IntegerField(), null=True)

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")

    def __str__(self) -> str:
        return f"{self.courier_id} {self.due_date}"


class OnTimeRate(TallyColumns):
    """Counts of outcomes in a cell: on a due date, a courier's lane, or a merchant's lane with one courier.

    A courier's cell has no counterpart; a merchant's names the courier. Quotes show a lane's on-time rate.
    """

    organisation = dimension(Organisation, _("organisation"))
    counterpart = dimension(Courier, _("courier"), null=True)
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    due_date = models.DateField(_("due date"))
    # The marks of its tallies, concatenated: few, as few are late. HistogramBin reads them.
    marks = ArrayField(models.IntegerField(), null=True)

    objects = models.Manager.from_queryset(OnTimeRateQuerySet)()

    class Meta:
        verbose_name = _("on-time rate")
        verbose_name_plural = _("on-time rates")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation", "due_date", "kind", "tier", "counterpart", "origin", "destination"],
                name="on_time_rate_cell",
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Quotes read each courier's rate on a lane.
            models.Index(
                fields=["origin", "destination", "tier", "due_date"],
                name="on_time_rate_by_lane",
                condition=Q(counterpart__isnull=True),
            ),
            # Ops' list, and figures of all merchants.
            models.Index(fields=["due_date", "kind"], name="on_time_rate_by_date"),
            # Ops' dashboard reads all couriers, the last 30 days, and scorecards a month. Millions of
            # merchants have cells of the same days.
            models.Index(
                fields=["due_date", "kind"],
                name="on_time_rate_of_couriers",
                condition=Q(counterpart__isnull=True),
            ),
            # A courier's parcels of one merchant.
            models.Index(
                fields=["counterpart", "due_date"],
                name="on_time_rate_counterpart",
                condition=Q(counterpart__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation}, {self.due_date}"


class HistogramBin(models.Model):
    """Marks of cells as rows: a count in a bin of a measure, lateness or excuses. A view.

    Bins add up over cells and days, so histograms merge; a count may be negative.
    """

    organisation = dimension(Organisation, _("organisation"))
    counterpart = dimension(Courier, _("courier"), null=True)
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    tier = dimension(ServiceTier, _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    due_date = models.DateField(_("due date"))
    measure = models.SmallIntegerField(_("measure"), choices=Measure)
    bin = models.SmallIntegerField(_("bin"))
    count = models.IntegerField(_("count"))

    objects = models.Manager.from_queryset(OnTimeRateQuerySet)()

    class Meta:
        managed = False
        verbose_name = _("histogram bin")
        verbose_name_plural = _("histogram bins")

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.due_date} {self.measure}/{self.bin}: {self.count}"


class OverdueCount(models.Model):
    """The number of promises overdue now, of all due dates: of a courier, or of a merchant with one
    courier."""

    organisation = dimension(Organisation, _("organisation"))
    counterpart = dimension(Courier, _("courier"), null=True)
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    overdue = models.IntegerField()

    objects = models.Manager.from_queryset(OnTimeRateQuerySet)()

    class Meta:
        verbose_name = _("overdue count")
        verbose_name_plural = _("overdue counts")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation", "kind", "counterpart"],
                name="overdue_count_of",
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Ops' dashboard adds up all couriers; merchants have millions of counts.
            models.Index(
                fields=["kind"], name="overdue_count_of_couriers", condition=Q(counterpart__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.kind}: {self.overdue}"
