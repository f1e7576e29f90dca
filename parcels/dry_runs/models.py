"""Dry runs of allocation rules."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.file_jobs import FileJob
from alliance.models import User
from parcels.bookings.models import Merchant
from parcels.bookings.querysets import MerchantOwnedQuerySet
from parcels.choices import DryRunState


class DryRun(FileJob):
    """What a merchant's rules would have made of its bookings of some days, at today's offers.

    Counted in slices: `position`, `done` and `result` change in one transaction, so that interrupted work
    goes on where it stopped and no parcel counts twice.
    """

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, db_index=False, related_name="+", verbose_name=_("merchant")
    )
    requested_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    # Local days of booking, both included.
    first = models.DateField(_("first day"))
    last = models.DateField(_("last day"))
    # The rules as they were when it was requested: columns of `AllocationRule`, with the id.
    rules = models.JSONField(_("rules"))
    state = models.CharField(_("state"), max_length=8, choices=DryRunState, default=DryRunState.QUEUED)
    done = models.PositiveIntegerField(_("parcels counted"), default=0)
    # The id of the last parcel counted, and those between which the parcels are.
    position = models.BigIntegerField()
    begins_at = models.BigIntegerField()
    ends_at = models.BigIntegerField()
    # There were more parcels than are counted.
    is_cut = models.BooleanField(default=False)
    # See `parcels.dry_runs.rules.Count`.
    result = models.JSONField(_("result"), default=dict)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("dry run")
        verbose_name_plural = _("dry runs")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="dry_run_state_known", condition=Q(state__in=DryRunState.values)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A merchant's runs, newest first.
            models.Index(fields=["merchant", "-id"], name="dry_run_by_merchant"),
        ]

    def __str__(self) -> str:
        return f"{self.first}–{self.last}"

    @property
    def place(self) -> Any:
        return self.position

    @property
    def percent(self) -> int:
        """How much of the time between the first and the last booking has been looked at."""
        span = max(self.ends_at - self.begins_at, 1)
        return min(round((self.position - self.begins_at) * 100 / span), 100)
