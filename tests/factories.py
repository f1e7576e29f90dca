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
from alliance.tenancy import Actor, Scope, scope
from couriers.models import Courier
from parcels.models import Merchant

PASSWORD = "correct-horse-battery"


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
    organisation = Organisation.objects.create(kind=kind, name=name, slug=free_slug(name), status=status)
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
