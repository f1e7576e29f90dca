"""Scans in the simplest Django code: a serializer, and a few queries and `save()`s per row.

On the same tables, with the same policies, in one transaction per call. It does less than the product: it
uses the order of arrival, accepts no corrections and keeps no histograms.
"""

import hashlib
from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.models import Event
from parcels.choices import ScanCode
from parcels.models import Parcel, Scan
from parcels.scans.rules import STATUS_OF_CODE
from slas.choices import CommitmentKind, Outcome
from slas.models import Breach, Commitment, Tally

_KINDS = {"picked_up": CommitmentKind.PICKUP, "delivered": CommitmentKind.DELIVERY}


class ScanSerializer(serializers.Serializer[Any]):
    """Parses, validates and stores one scan."""

    tracking_number = serializers.CharField(max_length=32)
    code = serializers.ChoiceField(choices=ScanCode.choices)
    occurred_at = serializers.DateTimeField()
    facility = serializers.CharField(max_length=64, required=False, allow_blank=True)

    def validate_tracking_number(self, value: str) -> int:
        try:
            return parse_tracking_number(value)
        except InvalidTrackingNumber as error:
            raise serializers.ValidationError(str(error)) from None

    def create(self, validated_data: dict[str, Any]) -> Scan:
        code, at = validated_data["code"], validated_data["occurred_at"]
        facility = validated_data.get("facility", "")
        parcel = Parcel.objects.select_for_update().get(
            pk=validated_data["tracking_number"], courier_id=self.context["courier_id"]
        )
        scan, is_new = Scan.objects.get_or_create(
            parcel_id=parcel.pk,
            event_key=_key(code, at, facility),
            defaults={
                "merchant_id": parcel.merchant_id,
                "courier_id": parcel.courier_id,
                "code": code,
                "occurred_at": at,
                "received_at": timezone.now(),
                "facility": facility,
            },
        )
        if is_new:
            self._move(parcel, code, at)
            if kind := _KINDS.get(code):
                self._settle(parcel, kind, at)
        return scan

    def _move(self, parcel: Parcel, code: str, at: datetime) -> None:
        previous, parcel.status = parcel.status, STATUS_OF_CODE[code]
        parcel.status_at = parcel.last_scan_at = at
        if hasattr(parcel, f"{code}_at"):
            setattr(parcel, f"{code}_at", at)
        parcel.save()
        Event.objects.create(
            topic="parcel.status_changed",
            merchant_id=parcel.merchant_id,
            courier_id=parcel.courier_id,
            parcel_id=parcel.pk,
            payload={"status": parcel.status, "previous": previous},
        )

    def _settle(self, parcel: Parcel, kind: str, at: datetime) -> None:
        commitment = Commitment.objects.get(parcel_id=parcel.pk, kind=kind)
        if commitment.outcome != Outcome.PENDING:
            return
        on_time = at <= commitment.due_at
        commitment.outcome = Outcome.MET if on_time else Outcome.LATE
        commitment.reached_at = at
        commitment.save()
        organisations = {
            "merchant_id": parcel.merchant_id,
            "courier_id": parcel.courier_id,
            "tier_id": parcel.tier_id,
            "origin_id": parcel.origin_id,
            "destination_id": parcel.destination_id,
            "kind": kind,
        }
        Tally.objects.create(
            **organisations, due_date=commitment.due_date, pending=-1, met=on_time, late=not on_time
        )
        if not on_time:
            Breach.objects.create(
                **organisations, parcel_id=parcel.pk, due_at=commitment.due_at, opened_at=timezone.now()
            )


class NaiveScanView(APIView):
    """Accepts one scan or a list."""

    def post(self, request: Request) -> Response:
        actor = request.auth
        serializer = ScanSerializer(
            data=request.data,
            many=isinstance(request.data, list),
            context={"courier_id": actor.organisation_id},
        )
        serializer.is_valid(raise_exception=True)
        result = serializer.save()
        return Response({"accepted": len(result) if isinstance(result, list) else 1})


def _key(code: str, at: datetime, facility: str) -> int:
    digest = hashlib.blake2b(f"{code}|{at.isoformat()}|{facility}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
