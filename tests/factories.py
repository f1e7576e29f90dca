"""Rows the tests start from, made in the scope of the system that would make them."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.choices import OrganisationKind, OrganisationStatus, Role
from alliance.members.services.api_keys import create_api_key
from alliance.members.services.organisations import free_slug
from alliance.models import Contact, Member, Organisation, User
from alliance.public_ids import IdKind, public_id, row_id
from alliance.tenancy import Actor, Scope, scope
from couriers.models import Courier
from parcels.models import Merchant

PASSWORD = "correct-horse-battery"
# Ids that tests can name: above those that the sequence gives, and no larger than a lock can be.
KNOWN = {"Swift Express": 2_000_000_001, "Rival Logistics": 2_000_000_002, "Lotus Tea": 2_000_000_003}
SWIFT = public_id(IdKind.COURIER, KNOWN["Swift Express"])
RIVAL = public_id(IdKind.COURIER, KNOWN["Rival Logistics"])
LOTUS = public_id(IdKind.MERCHANT, KNOWN["Lotus Tea"])
ID_KINDS = {
    "Offer": IdKind.OFFER,
    "PickupAddress": IdKind.PICKUP_ADDRESS,
    "SavedRecipient": IdKind.RECIPIENT,
    "Pickup": IdKind.PICKUP,
    "BookingFile": IdKind.BOOKING_FILE,
    "AllocationRule": IdKind.ALLOCATION_RULE,
    "Excuse": IdKind.EXCUSE,
    "CreditEntry": IdKind.CREDIT_ENTRY,
    "Export": IdKind.EXPORT,
}


def id_of(row: Any) -> str:
    """A row's id as the API tells it."""
    return public_id(ID_KINDS[type(row).__name__], row.pk)


def pk_of(public: str) -> int:
    """The row's number of an id that the API told."""
    return row_id(IdKind(public.partition("_")[0]), public)


def courier_organisation(name: str, status: str = OrganisationStatus.ACTIVE) -> Organisation:
    """A courier company that has joined."""
    with scope(Scope.everything()):
        organisation = _organisation(OrganisationKind.COURIER, name, status)
        Courier.objects.create(organisation=organisation, legal_name=name, joined_at=timezone.now())
    return organisation


def merchant_organisation(name: str, *, age: timedelta = timedelta(days=365)) -> Organisation:
    """A merchant that signed up long ago: a new one may book only so much."""
    with scope(Scope.everything()):
        organisation = _organisation(OrganisationKind.MERCHANT, name, OrganisationStatus.ACTIVE)
        organisation.created_at = timezone.now() - age
        organisation.save(update_fields=["created_at"])
        Merchant.objects.create(organisation=organisation)
    return organisation


def _organisation(kind: str, name: str, status: str) -> Organisation:
    pk = KNOWN.get(name)
    if Organisation.objects.filter(pk=pk).exists():
        pk = None
    values = {"kind": kind, "name": name, "slug": free_slug(name), "status": status}
    organisation = Organisation.objects.create(pk=pk, **values)
    Contact.objects.create(organisation=organisation, name="Chen Xiaoyan", phone="0571 8502 2088")
    return organisation


def user(email: str, **extra: Any) -> User:
    """Somebody who can log in: the address is verified, the password is PASSWORD."""
    from allauth.account.models import EmailAddress  # noqa: PLC0415 -- needs the app registry

    made = User.objects.create_user(email, PASSWORD, **extra)
    EmailAddress.objects.create(user=made, email=made.email, verified=True, primary=True)
    return made


def staff_user(email: str, group: str = "Operations") -> User:
    """One of the alliance's staff, with the rights of a group."""
    made = user(email, is_staff=True)
    made.groups.add(Group.objects.get(name=group))
    return made


def member_user(email: str, organisation: Organisation, role: str = Role.OWNER) -> User:
    made = user(email)
    with scope(Scope.everything()):
        Member.objects.create(organisation=organisation, user=made, role=role)
    return made


def logged_in(who: User) -> Client:
    """Somebody at a browser."""
    client = Client()
    client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    return client


def api_client(actor: Actor, scopes: set[str]) -> APIClient:
    """A program with a key of the actor's organisation."""
    with scope(Scope.of(actor)):
        _key, token = create_api_key(actor=actor, name="test", scopes=scopes)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client
