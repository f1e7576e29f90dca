"""Parcels ready to be scanned, created in bulk in the system's scope."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from alliance.homes import ALL_HOMES, draw_parcel_ids
from alliance.members.acquaintances import acquaint
from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from slas.choices import CommitmentKind
from slas.commitments.services.settling import CommitmentDraft, open_commitments
from slas.models import ServiceTier

PICKUP_HOURS, DELIVERY_HOURS = 6, 30


def booked_parcels(
    merchant: Organisation,
    courier: Organisation,
    *,
    booked_at: datetime,
    count: int = 1,
    homes: Collection[int] = ALL_HOMES,
    **extra: Any,
) -> list[Parcel]:
    """Parcels as a booking creates them: pickup due in 6 hours, delivery in 30."""
    tier = ServiceTier.objects.get(code="next_day")
    origin, destination = _city("CN-HGH"), _city("CN-CTU")
    parcels = [
        Parcel(
            id=parcel_id,
            merchant_id=merchant.pk,
            courier_id=courier.pk,
            tier=tier,
            origin=origin,
            destination=destination,
            source="api",
            booked_at=booked_at,
            ready_at=booked_at,
            pickup_by=booked_at + timedelta(hours=PICKUP_HOURS),
            deliver_by=booked_at + timedelta(hours=DELIVERY_HOURS),
            status_at=booked_at,
            **extra,
        )
        # Drawn independently, 200 ids of one millisecond would repeat in one of 200 runs.
        for parcel_id in draw_parcel_ids(booked_at, count, homes=homes)
    ]
    with scope(Scope.everything()):
        acquaint([(merchant.pk, courier.pk)])
        Parcel.objects.bulk_create(parcels)
        open_commitments(list(_drafts(parcels)))
    return parcels


def _city(code: str) -> City:
    place = {"country": "CN", "time_zone": "Asia/Shanghai", "latitude": 30.0, "longitude": 110.0}
    return City.objects.get_or_create(code=code, defaults={"name_en": code, "name_zh": code, **place})[0]


def _drafts(parcels: Sequence[Parcel]) -> list[CommitmentDraft]:
    return [
        CommitmentDraft(
            parcel_id=parcel.pk,
            kind=kind,
            merchant_id=parcel.merchant_id,
            courier_id=parcel.courier_id,
            tier_id=parcel.tier_id,
            origin_id=parcel.origin_id,
            destination_id=parcel.destination_id,
            version_id=None,
            due_at=due_at,
            zone="Asia/Shanghai",
            ready_at=parcel.ready_at,
        )
        for parcel in parcels
        for kind, due_at in (
            (CommitmentKind.PICKUP, parcel.pickup_by),
            (CommitmentKind.DELIVERY, parcel.deliver_by),
        )
    ]
