"""Bookings in the simplest Django code: a serializer, and a few queries and `save()`s per row.

On the same tables, with the same policies, in one transaction per call. The cheapest offer with capacity gets
the parcel, and the promise is a fixed number of hours. The product also uses calendars, cut-offs and rates.
"""

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.identifiers import new_parcel_id
from alliance.models import City, Event
from parcels.models import Parcel
from slas.choices import CommitmentKind, TierCode
from slas.models import CapacityDay, Commitment, Offer, ServiceTier, Tally


class RecipientSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    phone = serializers.CharField(max_length=40)
    address = serializers.CharField(max_length=300)


class BookingSerializer(serializers.Serializer[Any]):
    """Parses, validates and books one parcel."""

    tier = serializers.ChoiceField(choices=TierCode.choices)
    origin = serializers.SlugRelatedField(slug_field="code", queryset=City.objects.all())
    destination = serializers.SlugRelatedField(slug_field="code", queryset=City.objects.all())
    weight_g = serializers.IntegerField(min_value=1, max_value=30_000)
    reference = serializers.CharField(max_length=64, required=False, allow_blank=True)
    recipient = RecipientSerializer()

    def create(self, validated_data: dict[str, Any]) -> Parcel:
        now = timezone.now()
        tier = ServiceTier.objects.get(code=validated_data["tier"])
        offer = self._reserve(tier, validated_data["origin"], validated_data["destination"], now)
        recipient = validated_data["recipient"]
        parcel = Parcel(
            id=new_parcel_id(now),
            merchant_id=self.context["merchant_id"],
            courier_id=offer.courier_id,
            tier=tier,
            origin=validated_data["origin"],
            destination=validated_data["destination"],
            offer=offer,
            source="api",
            reference=validated_data.get("reference", ""),
            recipient_name=recipient["name"],
            recipient_phone=recipient["phone"],
            recipient_address=recipient["address"],
            weight_g=validated_data["weight_g"],
            fee_fen=offer.price_fen,
            booked_at=now,
            ready_at=now,
            pickup_by=now + timedelta(hours=6),
            deliver_by=now + timedelta(hours=30),
            status_at=now,
        )
        parcel.save(force_insert=True)
        self._promise(parcel)
        return parcel

    def _reserve(self, tier: ServiceTier, origin: City, destination: City, now: Any) -> Offer:
        offers = Offer.objects.filter(tier=tier, origin=origin, destination=destination, active=True)
        for offer in offers.order_by("price_fen", "pk"):
            day, _made = CapacityDay.objects.get_or_create(
                offer=offer,
                date=timezone.localdate(now),
                defaults={"courier_id": offer.courier_id, "limit": offer.daily_capacity},
            )
            capacity = CapacityDay.objects.filter(pk=day.pk, reserved__lt=F("limit"))
            if capacity.update(reserved=F("reserved") + 1):
                return offer
        raise serializers.ValidationError("Every courier is full.")

    def _promise(self, parcel: Parcel) -> None:
        organisations = {
            "merchant_id": parcel.merchant_id,
            "courier_id": parcel.courier_id,
            "tier_id": parcel.tier_id,
            "origin_id": parcel.origin_id,
            "destination_id": parcel.destination_id,
        }
        for kind, due_at in (
            (CommitmentKind.PICKUP, parcel.pickup_by),
            (CommitmentKind.DELIVERY, parcel.deliver_by),
        ):
            due = {**organisations, "kind": kind, "due_date": timezone.localdate(due_at)}
            Commitment(**due, parcel_id=parcel.pk, due_at=due_at).save(force_insert=True)
            Tally.objects.create(**due, pending=1)
        Event.objects.create(
            topic="parcel.booked",
            merchant_id=parcel.merchant_id,
            courier_id=parcel.courier_id,
            parcel_id=parcel.pk,
            payload={"tracking_number": parcel.number, "reference": parcel.reference},
        )


class NaiveBookingView(APIView):
    """Books one parcel or a list."""

    def post(self, request: Request) -> Response:
        serializer = BookingSerializer(
            data=request.data,
            many=isinstance(request.data, list),
            context={"merchant_id": request.auth.organisation_id},
        )
        serializer.is_valid(raise_exception=True)
        result = serializer.save()
        parcels = result if isinstance(result, list) else [result]
        return Response({"booked": len(parcels), "numbers": [parcel.number for parcel in parcels]})
