"""Model columns that several tables share."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


def dimension(to: Any, name: Any, **options: Any) -> Any:
    """Return a foreign key for busy tables: checked where rows are created, not by a trigger per row."""
    return models.ForeignKey(
        to,
        models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=name,
        **options,
    )


class TallyColumns(models.Model):
    """The counts of a tally or a rate."""

    pending = models.IntegerField(_("pending"), default=0)
    met = models.IntegerField(_("on time"), default=0)
    late = models.IntegerField(_("late"), default=0)
    overdue = models.IntegerField(_("overdue"), default=0)
    void = models.IntegerField(_("void"), default=0)
    # The part of late and overdue that does not count against the courier.
    excused = models.IntegerField(_("exempt"), default=0)
    # For deliveries: with an attempt of any kind; delivered on the first one; within that time of pickup.
    attempted = models.IntegerField(_("attempted"), default=0)
    first_attempt = models.IntegerField(_("delivered on the first attempt"), default=0)
    within_48h = models.IntegerField(_("within 48 hours"), default=0)
    within_72h = models.IntegerField(_("within 72 hours"), default=0)

    class Meta:
        abstract = True
