"""A month of freight for tests: cancelled, surcharged, credited and closed."""

from datetime import date, datetime
from typing import Any, Final

from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.models import Parcel
from parcels.freight.models import Surcharge
from parcels.freight.services.counting import close_freight, count_freight
from parcels.freight.services.surcharges import SurchargeTerms, add_surcharge
from slas.credits.months import month_of, next_month, spell, start_of
from slas.credits.services.closing import close_month
from slas.models import CreditEntry, CreditSchedule, CreditSum
from tests.factories import LOTUS
from tests.slas.helpers.commitments import HOUR, NOON

MONTH: Final = month_of(NOON)
TEXT: Final = spell(MONTH)
AFTER: Final = start_of(next_month(MONTH)) + 2 * HOUR


def cancel(parcel: Parcel, at: datetime) -> None:
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(status="cancelled", cancelled_at=at)


def credit(parcel: Parcel, fen: int, month: date = MONTH) -> None:
    """An entry of the ledger, and the sum that it is in."""
    with scope(Scope.everything()):
        schedule = CreditSchedule.objects.filter(tier_id=parcel.tier_id).earliest("pk")
        of_pair = {
            "merchant_id": parcel.merchant_id, "courier_id": parcel.courier_id, "tier_id": parcel.tier_id,
            "month": month, "cause": "late",
        }  # fmt: skip
        CreditEntry.objects.create(
            **of_pair, parcel_id=parcel.pk, kind="delivery", schedule=schedule, amount_fen=fen, late_by=60,
            due_at=NOON, at=NOON,
        )  # fmt: skip
        CreditSum.objects.create(**of_pair, entry_count=1, credited_fen=fen, taken_back_fen=0)


def surcharge(courier: Actor, *, now: datetime = NOON + 2 * HOUR, **given: Any) -> Surcharge:
    terms = {"month": MONTH, "merchant": LOTUS, "amount_fen": 250, "reason": "Remote area", **given}
    with scope(Scope.of(courier)):
        return add_surcharge(
            actor=courier, courier_id=courier.tenant_id, terms=SurchargeTerms(**terms), now=now
        )


def finish(now: datetime = AFTER) -> None:
    """Count the month, close its credits, and then its freight."""
    count_freight(now=now)
    with scope(Scope.everything()):
        close_month(actor=Actor.system("test"), month=MONTH, now=now)
    close_freight(now=now)
