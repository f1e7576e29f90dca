"""Revisions of a parcel's delivery for tests."""

from datetime import date, timedelta
from typing import Any

from alliance.clocks import local_clock
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from slas.models import Commitment, Revision

# The end of looking.RECIPIENT's phone number.
DIGITS = "5678"
ZONE = "Asia/Shanghai"


def day(parcel: Parcel, ahead: int = 2) -> date:
    """The day `ahead` days after the promised one."""
    return local_clock(parcel.deliver_by, ZONE).date() + timedelta(days=ahead)


def revisions_of(parcel: Parcel) -> list[Revision]:
    with scope(Scope.everything()):
        return list(Revision.objects.filter(parcel_id=parcel.pk).order_by("pk"))


def due_at(parcel: Parcel) -> Any:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel.pk, kind="delivery").due_at
