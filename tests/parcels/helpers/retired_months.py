"""An old month with parcels of all kinds, settled and ready to retire."""

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
# The last day of the month: parcels booked then fall due in the next month.
LAST_DAY = OLD.plus(1).start - timedelta(hours=20)
# The number of rows in each table of that month.
TABLES = {"parcels_parcel": 6, "parcels_scan": 28, "slas_breach": 6, "slas_commitment": 12}
HOURS = {"picked_up": 2, "departed": 5, "arrived": 12, "out_for_delivery": 20, "delivered": 25}


def old_parcels(
    merchant: Organisation, courier: Organisation, scans: Actor, *, count: int = 6
) -> list[Parcel]:
    """Parcels delivered on time, two days late or never; half of them booked on the month's last day."""
    partitions.ensure_months(OLD, OLD.plus(1))
    middle = OLD.start + timedelta(days=10)
    parcels: list[Parcel] = []
    for booked_at in (middle, LAST_DAY):
        parcels += booked_parcels(
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
    for place, parcel in enumerate(parcels):
        late = {0: 0, 1: 48}.get(place % 3)
        lines = [
            ScanLine(parcel.number, code, parcel.booked_at + timedelta(hours=hours + (late or 0)))
            for code, hours in HOURS.items()
            if late is not None or code != "delivered"
        ]
        with scope(Scope.of(scans)):
            assert not record_scans(actor=scans, lines=lines).rejections
    return parcels


def settle_all(now: datetime | None = None) -> None:
    """Run the periodic tasks that settle a month before it retires."""
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
    with scope(Scope.everything()):
        return [str(difference) for difference in audit_rates().differences]


def leftovers() -> list[tuple[Any, ...]]:
    """The tables of the month that still exist."""
    return raw_rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s", [f"%{OLD.suffix}"]
    )


def take_back() -> None:
    """Drop the remaining tables of the test's months, and delete their retirement."""
    RetiredMonth.objects.all().delete()
    for table in partitions.partitioned_tables():
        for month in (OLD, OLD.plus(1)):
            partitions.detach_month(table, month)
            partitions.drop_detached(table, month)
