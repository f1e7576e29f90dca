"""Returns in the demo: its first merchant takes requests, has one to decide on, and has issued one."""

from alliance.errors import AllianceError
from alliance.tenancy import Scope, scope
from parcels.bookings.models import Parcel
from parcels.bookings.rules import IfFull
from parcels.choices import ParcelStatus, ReturnReason
from parcels.demo.days import Stage
from parcels.returns.services.issuing import ReturnOrder, issue_return
from parcels.returns.services.policies import PolicyTerms, save_policy
from parcels.returns.services.requests import Proof, ask_for_return
from parcels.revisions.proofs import DIGITS

NOTE = "退货运费由我们承担，请使用原包装。We pay for returns; please use the original box."
WISHES = (
    (ReturnReason.DAMAGED, "茶罐摔裂了"),
    (ReturnReason.WRONG_ITEM, "I ordered green tea and got black tea"),
)


def return_some(stage: Stage) -> int:
    """Have recipients ask for returns of what came last, and issue the first; return how many asked."""
    actor, now, asked = stage.buyers[0].actor, stage.until, 0
    with scope(Scope.of(actor)):
        save_policy(actor=actor, terms=PolicyTerms(True, 7, ReturnReason.values, NOTE))
        delivered = Parcel.objects.visible_to(actor).filter(
            status=ParcelStatus.DELIVERED, delivered_at__lt=now
        )
        parcels = list(delivered.prefetch_related("tier").order_by("-pk")[: len(WISHES)])
    for parcel, (reason, note) in zip(parcels, WISHES, strict=False):
        proof = Proof(parcel.recipient_phone[-DIGITS:], "demo")
        ask_for_return(parcel_id=parcel.pk, proof=proof, reason=reason, note=note, now=now)
        asked += 1
    for parcel in parcels[:1]:
        order = ReturnOrder(tier=parcel.tier.code, if_full=IfFull.NEXT)
        try:
            with scope(Scope.of(actor)):
                issue_return(actor=actor, parcel_id=parcel.pk, order=order, at=now)
        except AllianceError:
            # No courier sells the lane: the request waits.
            continue
    return asked
