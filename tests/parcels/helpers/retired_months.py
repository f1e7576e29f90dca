"""A month long past with a bit of everything in it, settled and ready to leave."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alliance.database import partitions
from alliance.database.partitions import Month
from alliance.models import Organisation, RetiredMonth
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.models import Parcel
from parcels.retention.erasing import erase_due
from parcels.retention.retiring import retire_month
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.audits.rates import audit_rates
from slas.choices import CommitmentKind
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.services.closing import close_months_over
from slas.credits.services.entries import work_out_credits
from slas.models import Commitment, CreditEntry, OnTimeRate
from slas.rates.services.folding import fold_tallies
from tests.parcels.helpers.parcels import booked_parcels

OLD = Month.of(timezone.now().date()).plus(-14)
# The last day of the month: what is booked then falls due in the next one.
LAST_DAY = OLD.plus(1).start - timedelta(hours=20)
# How many rows of each table are of that month.
TABLES = {"parcels_parcel": 6, "parcels_scan": 28, "slas_breach": 6, "slas_commitment": 12}
HOURS = {"picked_up": 2, "departed": 5, "arrived": 12, "out_for_delivery": 20, "delivered": 25}


def old_parcels(
    merchant: Organisation, courier: Organisation, scans: Actor, *, count: int = 6
) -> list[Parcel]:
    """Some delivered on time, two days late or never; half of them booked on the month's last day."""
    partitions.ensure_months(OLD, OLD.plus(1))
    middle = OLD.start + timedelta(days=10)
    made: list[Parcel] = []
    for booked_at in (middle, LAST_DAY):
        made += booked_parcels(
            merchant,
            courier,
            booked_at=booked_at,
            count=count // 2,
            recipient_name="王小明",
            recipient_phone="13812345678",
            recipient_address="人民南路四段12号",
            reference="SO-1",
            fee_fen=1_250,
        )
    with scope(Scope.everything()):
        Commitment.objects.filter(kind=CommitmentKind.DELIVERY).update(fee_fen=1_250)
    for place, parcel in enumerate(made):
        late = {0: 0, 1: 48}.get(place % 3)
        lines = [
            ScanLine(parcel.number, code, parcel.booked_at + timedelta(hours=hours + (late or 0)))
            for code, hours in HOURS.items()
            if late is not None or code != "delivered"
        ]
        with scope(Scope.of(scans)):
            assert not record_scans(actor=scans, lines=lines).rejections
    return made


def settle_all(now: datetime | None = None) -> None:
    """What beat has long done about a month that leaves."""
    moment = now or timezone.now()
    sweep_overdue(now=moment)
    fold_tallies()
    work_out_credits(now=moment)
    erase_due(now=moment)
    with scope(Scope.everything()):
        close_months_over(actor=Actor.system("test"), now=moment + timedelta(days=31))


def retire(system: Actor) -> RetiredMonth:
    return retire_month(actor=system, month=OLD, now=timezone.now())


def counts() -> dict[str, int]:
    with scope(Scope.everything()):
        return {
            "rates": OnTimeRate.objects.count(),
            "credits": CreditEntry.objects.count(),
            "parcels": Parcel.objects.count(),
            "commitments": Commitment.objects.count(),
        }


def differences() -> list[str]:
    """What an audit of the rates finds."""
    with scope(Scope.everything()):
        return [str(found) for found in audit_rates().differences]


def leftovers() -> list[tuple[Any, ...]]:
    """Tables of the month that are still there."""
    return raw_rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s", [f"%{OLD.suffix}"]
    )


def take_back() -> None:
    """Drop what a test has left of its months, and forget that one was retired."""
    RetiredMonth.objects.all().delete()
    for table in partitions.partitioned_tables():
        for month in (OLD, OLD.plus(1)):
            partitions.detach_month(table, month)
            partitions.drop_detached(table, month)
