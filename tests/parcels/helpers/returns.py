"""Parcels that may come back, and their ways back."""

from typing import Any

from django.utils import timezone

from alliance.identifiers import parse_tracking_number
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel, PickupAddress, ReturnRequest
from parcels.returns.services.issuing import ReturnOrder, issue_return
from parcels.returns.services.policies import PolicyTerms, save_policy
from parcels.returns.services.requests import Proof, ask_for_return
from tests.parcels.helpers.parcel_views import scan, some_parcels
from tests.parcels.helpers.revisions import DIGITS


def delivered_parcel(merchant: Organisation, courier: Organisation, **extra: Any) -> Parcel:
    """A parcel from Hangzhou, delivered in time in Chengdu ten hours ago."""
    [parcel] = some_parcels(merchant, courier, hours_ago=38, **{"reference": "SO-7", **extra})
    scan(parcel, "picked_up", 2)
    scan(parcel, "delivered", 28)
    return again(parcel)


def refused_parcel(merchant: Organisation, courier: Organisation) -> Parcel:
    """The same, refused at the door."""
    [parcel] = some_parcels(merchant, courier, hours_ago=38)
    scan(parcel, "picked_up", 2)
    scan(parcel, "attempt_failed", 28, reason="consignee_refused")
    return again(parcel)


def again(parcel: Parcel) -> Parcel:
    return parcel_of(parcel.number)


def parcel_of(number: str) -> Parcel:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parse_tracking_number(number))


def home_address(merchant: Organisation, city: City, **values: Any) -> PickupAddress:
    """Where a merchant's returns go."""
    texts = {"name": "Warehouse", "address": "文三路90号", "contact_name": "Zhang Min"}
    with scope(Scope.everything()):
        return PickupAddress.objects.create(
            merchant_id=merchant.pk,
            city=city,
            **{**texts, "contact_phone": "13900001111", "is_default": True, **values},
        )


def issued(actor: Actor, parcel: Parcel, **order: Any) -> Booked:
    with scope(Scope.of(actor)):
        return issue_return(
            actor=actor,
            parcel_id=parcel.pk,
            order=ReturnOrder(**{"tier": "next_day", **order}),
            at=timezone.now(),
        )


def allowed(actor: Actor, **values: Any) -> None:
    """The merchant takes requests, for any reason."""
    terms = {"is_allowed": True, "window_days": 7, "reasons": ["size", "damaged", "other"], **values}
    with scope(Scope.of(actor)):
        save_policy(actor=actor, terms=PolicyTerms(**terms))


def asked(parcel: Parcel, *, digits: str = DIGITS, reason: str = "size", note: str = "") -> ReturnRequest:
    proof = Proof(digits, "203.0.113.7")
    return ask_for_return(parcel_id=parcel.pk, proof=proof, reason=reason, note=note, now=timezone.now())


def request_for(parcel: Parcel) -> ReturnRequest | None:
    with scope(Scope.everything()):
        return ReturnRequest.objects.filter(pk=parcel.pk).first()
