"""A merchant's test mode: its sandbox, a program with a test key, and stories told to their ends."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from alliance.members.services.actors import actor_of_organisation
from alliance.members.services.sandboxes import open_sandbox
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import Story
from parcels.models import Parcel
from parcels.sandboxes.services import run_stories
from parcels.stories.rules import LONGEST, magic_reference
from tests import factories
from tests.parcels.helpers.bookings import book

SCOPES = {"parcels:read", "parcels:book", "rates:read", "webhooks:write", "parcels:unmask"}


def sandbox_of_merchant(merchant: Actor) -> Actor:
    """The merchant's owner in test mode."""
    with scope(Scope.of(merchant)):
        sandbox_id = open_sandbox(actor=merchant)
    with scope(Scope.everything()):
        organisation = Organisation.objects.get(pk=sandbox_id)
    return actor_of_organisation(organisation, kind="user", user_id=merchant.user_id, role=merchant.role)


def program_of(sandbox: Actor, scopes: set[str] = SCOPES) -> APIClient:
    """A program with a test key."""
    return factories.api_client(sandbox, scopes)


def tell(api: APIClient, story: Story, **body: Any) -> str:
    """Book the parcel of a story; return its number."""
    return str(book(api, reference=magic_reference(story), **body)["tracking_number"])


def finish(now: datetime | None = None) -> int:
    """Let a minute pass; return how many scans were recorded."""
    return run_stories(now=(now or timezone.now()) + LONGEST + timedelta(seconds=1))


def parcel_of(sandbox: Actor, number: str) -> Parcel:
    with scope(Scope.of(sandbox)):
        return next(parcel for parcel in Parcel.objects.all() if parcel.number == number)
