"""API of a merchant's pickup addresses: their ids are what quotes and bookings name."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.parsing import refuse_unknown_parameters
from alliance.api.public_ids import PublicIdField
from alliance.choices import Capability
from alliance.public_ids import IdKind
from alliance.tenancy import require
from parcels.models import PickupAddress


class PickupAddressAnswer(serializers.ModelSerializer[PickupAddress]):
    id = PublicIdField(IdKind.PICKUP_ADDRESS, help_text="Sent as `pickup_address`.")
    city = serializers.CharField(source="city.code", help_text="City code.")
    city_name = serializers.CharField(source="city.name", help_text="In the language of the request.")

    class Meta:
        model = PickupAddress
        fields = ("id", "name", "city", "city_name", "address", "contact_name", "contact_phone", "is_default")


class PickupAddressListView(generics.ListAPIView[PickupAddress]):
    """The merchant's own addresses."""

    serializer_class = PickupAddressAnswer
    filter_backends = ()

    @extend_schema(
        operation_id="pickup_addresses_list",
        summary="List pickup addresses",
        description="Your own pickup addresses, the newest first. They are added and changed in the portal.",
        tags=["booking"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[PickupAddress]:
        if getattr(self, "swagger_fake_view", False):
            return PickupAddress.objects.none()
        refuse_unknown_parameters(self.request, "cursor", "page_size")
        actor = actor_of(self.request)
        require(actor, Capability.BOOK_PARCELS)
        return PickupAddress.objects.visible_to(actor).select_related("city")
