"""Revisions of delivery days in the demo, by recipients and merchants."""

from datetime import timedelta
from random import Random

from alliance.errors import AllianceError
from alliance.tenancy import Scope, scope
from parcels.bookings.models import Parcel
from parcels.demo.days import Stage
from parcels.revisions.proofs import DIGITS
from parcels.revisions.services import days_for_recipient, revise_for_recipient, revise_parcel
from slas.choices import CommitmentKind, Outcome, RevisionParty
from slas.models import Commitment
from slas.revisions.services import RevisionRequest, promised_delivery

# Of the parcels under way at the end of the demo.
BY_RECIPIENTS, AGREED = 12, 5
WISHES = (
    "On a business trip until then",
    "Away over the weekend",
    "周末不在家",
    "Moving house, please come later",
)
AGREEMENTS = (
    "Colour out of stock, agreed by telephone",
    "仓库盘点，客户同意延后",
    "To arrive together with a second parcel",
)


def move_some(stage: Stage) -> int:
    """Have some deliveries under way moved, as of the demo's last moment; return how many."""
    # Its own random generator, so that the rest of the demo does not change.
    random, now = Random(stage.until.toordinal()), stage.until
    with scope(Scope.everything()):
        due = Commitment.objects.filter(
            kind=CommitmentKind.DELIVERY, outcome=Outcome.PENDING, due_at__gt=now + timedelta(minutes=5)
        )
        # From the newest: their parcels have far to go.
        numbers = list(
            due.order_by("-parcel_id").values_list("parcel_id", flat=True)[: 40 * (BY_RECIPIENTS + AGREED)]
        )
        parcel_ids = random.sample(numbers, min(BY_RECIPIENTS + AGREED, len(numbers)))
        parcels = Parcel.objects.select_related("destination").in_bulk(parcel_ids)
    by_merchant = {buyer.actor.organisation_id: buyer.actor for buyer in stage.buyers}
    count = 0
    for number, parcel_id in enumerate(parcel_ids):
        parcel = parcels[parcel_id]
        with scope(Scope.everything()):
            promise = promised_delivery(parcel_id=parcel_id)
            days = days_for_recipient(parcel=parcel, promised=promise, now=now)[:4]
        if not days:
            continue
        day = random.choice(days).day
        try:
            if number < BY_RECIPIENTS:
                revision_request = RevisionRequest(day, RevisionParty.RECIPIENT, reason=random.choice(WISHES))
                digits = parcel.recipient_phone[-DIGITS:]
                revise_for_recipient(
                    parcel_id=parcel_id, digits=digits, address="demo", asked=revision_request, now=now
                )
            else:
                actor = by_merchant[parcel.merchant_id]
                revision_request = RevisionRequest(day, RevisionParty.MERCHANT, random.choice(AGREEMENTS))
                with scope(Scope.of(actor)):
                    revise_parcel(actor=actor, parcel_id=parcel_id, asked=revision_request, now=now)
        except AllianceError:
            # It was delivered meanwhile, or is being returned.
            continue
        count += 1
    return count
