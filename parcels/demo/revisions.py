"""Recipients of the demo who ask for another day, and merchants who agree to one."""

from datetime import timedelta
from random import Random

from alliance.errors import AllianceError
from alliance.tenancy import Scope, scope
from parcels.bookings.models import Parcel
from parcels.demo.days import Stage
from parcels.revisions.services import DIGITS, days_for_recipient, revise_for_recipient, revise_parcel
from slas.choices import CommitmentKind, Outcome, RevisionParty
from slas.models import Commitment
from slas.revisions.services import RevisionRequest, promised_delivery

# Of the parcels under way at the end of the demo.
ASKED, AGREED = 12, 5
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
    # Its own, so that the rest of the demo stays as it is.
    random, now = Random(stage.until.toordinal()), stage.until
    with scope(Scope.everything()):
        due = Commitment.objects.filter(
            kind=CommitmentKind.DELIVERY, outcome=Outcome.PENDING, due_at__gt=now + timedelta(minutes=5)
        )
        # From the newest: their parcels have far to go.
        numbers = list(
            due.order_by("-parcel_id").values_list("parcel_id", flat=True)[: 40 * (ASKED + AGREED)]
        )
        chosen = random.sample(numbers, min(ASKED + AGREED, len(numbers)))
        parcels = Parcel.objects.select_related("destination").in_bulk(chosen)
    by_merchant = {buyer.actor.organisation_id: buyer.actor for buyer in stage.buyers}
    moved = 0
    for number, parcel_id in enumerate(chosen):
        parcel = parcels[parcel_id]
        with scope(Scope.everything()):
            promised = promised_delivery(parcel_id=parcel_id)
            days = days_for_recipient(parcel=parcel, promised=promised, now=now)[:4]
        if not days:
            continue
        day = random.choice(days).day
        try:
            if number < ASKED:
                asked = RevisionRequest(day, RevisionParty.RECIPIENT, random.choice(WISHES))
                digits = parcel.recipient_phone[-DIGITS:]
                revise_for_recipient(parcel_id=parcel_id, digits=digits, asked=asked, now=now)
            else:
                actor = by_merchant[parcel.merchant_id]
                asked = RevisionRequest(day, RevisionParty.MERCHANT, random.choice(AGREEMENTS))
                with scope(Scope.of(actor)):
                    revise_parcel(actor=actor, parcel_id=parcel_id, asked=asked, now=now)
        except AllianceError:
            # It has come meanwhile, or goes back.
            continue
        moved += 1
    return moved
