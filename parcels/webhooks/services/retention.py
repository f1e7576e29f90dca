"""Delete deliveries of long ago, with what was answered to them, and figures."""

from datetime import datetime

from alliance.database.at_home import rows_at_home
from alliance.database.cluster import shard_keys
from alliance.database.slices import SLICE, delete_in_slices
from alliance.database.work_shares import Outages
from alliance.tenancy import Scope, scope
from parcels.webhooks.models import WebhookHour, WebhookSecret
from parcels.webhooks.rules import KEPT
from parcels.webhooks.sql import FORGET


def forget_old_webhooks(*, now: datetime) -> int:
    """Delete what is older than it is kept, a slice a transaction; return how many deliveries.

    May run twice, concurrently, or be killed. Those that a paused endpoint has not been sent by then go, too.
    """
    count, outages = 0, Outages()
    for home in shard_keys():
        with outages.noted():
            count += _forget_at(home, now - KEPT)
    delete_in_slices(WebhookHour.objects.filter(hour__lt=now - KEPT), order="pk")
    delete_in_slices(WebhookSecret.objects.filter(ends_at__lt=now), order="pk")
    outages.raise_first()
    return count


def _forget_at(home: int, before: datetime) -> int:
    count = 0
    while True:
        with scope(Scope.everything()):
            [(forgotten,)] = rows_at_home(FORGET, {"home": home, "before": before, "most": SLICE})
        count += forgotten
        if forgotten < SLICE:
            return count
