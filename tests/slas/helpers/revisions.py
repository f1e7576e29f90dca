"""Revisions of a delivery promised for tonight, for tests."""

from datetime import date, datetime, timedelta

import pytest

from alliance.errors import AllianceError
from alliance.tenancy import Actor, Scope, scope
from slas.choices import RevisionParty
from slas.models import Commitment, Revision
from slas.revisions.services import (
    Promised,
    RevisionRequest,
    days_to_choose,
    promised_delivery,
    revise_delivery,
)
from tests.slas.helpers.commitments import DELIVERY, HOUR, NOON

RECIPIENT, MERCHANT = RevisionParty.RECIPIENT, RevisionParty.MERCHANT
# 20:00 in China on the day of the tests, and the days after it.
EVENING = NOON + 8 * HOUR
TODAY = NOON.date()


def day(ahead: int) -> date:
    return TODAY + timedelta(days=ahead)


def revise(
    actor: Actor,
    parcel_id: int,
    ahead: int = 2,
    by: str = RECIPIENT,
    reason: str = "Away until then",
    *,
    now: datetime = NOON,
) -> Revision:
    with scope(Scope.of(actor)):
        asked = RevisionRequest(day(ahead), by, reason, is_proven=by == RECIPIENT)
        return revise_delivery(actor=actor, parcel_id=parcel_id, asked=asked, now=now)


def commitment(parcel_id: int) -> Commitment:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel_id, kind=DELIVERY)


def standing(parcel_id: int) -> Promised:
    result = promised_delivery(parcel_id=parcel_id)
    assert result is not None
    return result


def offered(parcel_id: int, by: RevisionParty = RECIPIENT) -> list[date]:
    """The days a party could choose, in the caller's scope."""
    promised = standing(parcel_id)
    result = days_to_choose(promised=promised, parties=[by], now=NOON)
    return [item.day for item in result]


def why(refused: pytest.ExceptionInfo[AllianceError]) -> str:
    return refused.value.reason
