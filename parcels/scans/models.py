"""The scans that couriers send."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation
from couriers.models import Courier
from parcels.bookings.querysets import MovedQuerySet
from parcels.choices import ScanCode
from slas.columns import dimension


class Scan(models.Model):
    """One tracking event a courier sent. Append-only; a correction withdraws, nothing deletes."""

    pk = models.CompositePrimaryKey("parcel_id", "event_key")
    parcel_id = models.BigIntegerField()
    # 64-bit hash of the sender's event id, or of code, time and facility: a scan can safely be sent again.
    event_key = models.BigIntegerField()
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    code = models.CharField(_("code"), max_length=20, choices=ScanCode)
    occurred_at = models.DateTimeField(_("occurred"))
    received_at = models.DateTimeField(_("received"))
    # What the courier's clock said, if it was wrong by minutes: `occurred_at` is then the time that counts.
    stated_at = models.DateTimeField(_("stated"), null=True)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    facility = models.CharField(_("facility"), max_length=64, blank=True)
    event_id = models.CharField(_("event id"), max_length=64, blank=True)
    # The recipient agreed to a locker or station drop.
    consent = models.BooleanField(_("consent"), default=False)
    # Of a correction: the event it withdraws.
    corrects = models.BigIntegerField(null=True)

    objects = models.Manager.from_queryset(MovedQuerySet)()

    class Meta:
        verbose_name = _("scan")
        verbose_name_plural = _("scans")
        indexes: ClassVar[list[models.Index]] = [
            # The watch list selects parcels last scanned a day ago. Scans are append-only: a summary of
            # each 4 MB finds them and costs almost nothing per scan.
            BrinIndex(
                fields=["occurred_at", "received_at"],
                name="scan_by_time",
                autosummarize=True,
                pages_per_range=512,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.occurred_at:%Y-%m-%d %H:%M}"
