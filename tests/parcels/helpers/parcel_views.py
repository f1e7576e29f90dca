"""Parcels booked some hours ago, their scans, and pages as text."""

import html
import re
from datetime import datetime, timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from tests import factories
from tests.parcels.helpers.parcels import booked_parcels

RECIPIENT = {
    "recipient_name": "欧阳娜娜",
    "recipient_phone": "+86 138 1234 5678",
    "recipient_address": "人民南路四段12号3单元1203室",
}


def some_parcels(
    merchant: Organisation, courier: Organisation, *, hours_ago: float = 2, count: int = 1, **extra: Any
) -> list[Parcel]:
    """Parcels booked `hours_ago` (pickup due after 6 hours, delivery after 30), oldest first."""
    booked_at = timezone.now() - timedelta(hours=hours_ago)
    values = {**RECIPIENT, "weight_g": 800, "fee_fen": 1250, **extra}
    parcels = booked_parcels(merchant, courier, booked_at=booked_at, count=count, **values)
    return sorted(parcels, key=lambda parcel: parcel.pk)


def scan(parcel: Parcel, code: str, hours: float, *, now: datetime | None = None, **extra: Any) -> None:
    """Record one scan `hours` after booking, received at that time or at `now`."""
    at = parcel.booked_at + timedelta(hours=hours)
    with scope(Scope.everything()):
        line = ScanLine(parcel.number, code, at, **extra)
        report = record_scans(actor=Actor.system("test"), lines=[line], now=now or at)
    assert report.rejections == []


def text_of(response: Any) -> str:
    """The text of a page, without markup."""
    body = re.sub(r"<(script|template)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def client_of(organisation: Organisation, role: str = Role.VIEWER) -> Client:
    """A client logged in as a member of an organisation with a role."""
    client = Client()
    member = factories.member_user(f"{role}{organisation.pk}@alliance.example", organisation, role)
    client.force_login(member, backend="django.contrib.auth.backends.ModelBackend")
    return client
