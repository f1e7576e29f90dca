"""API of a courier's own offers: read them, put a lane on sale, change its terms."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.fields import MoneyField
from alliance.api.parsing import Body, CityField, WordField, refuse_unknown_parameters
from alliance.api.public_ids import PublicIdField
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.public_ids import IdKind
from alliance.tenancy import require
from slas.api import examples
from slas.choices import TierCode
from slas.models import Offer, ServiceTier
from slas.offers.services.lanes import patch_offer, put_offer
from slas.offers.services.offers import MAX_CAPACITY, OfferTerms
from slas.promises.prices import CURRENCY, InvalidAmount, fen_from_yuan, yuan

S = serializers.Serializer[Any]
_NAMED = ("tier", "origin", "destination")


class PriceField(MoneyField):
    """An amount in yuan as text, such as 18.00; fen inside."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return fen_from_yuan(super().to_internal_value(data))
        except InvalidAmount as error:
            raise serializers.ValidationError(error.message, code=error.code) from None


class OwnOfferTermsBody(Body):
    """What of an offer may change."""

    price = PriceField(help_text="CNY, a decimal, for the first weight band.")
    daily_capacity = serializers.IntegerField(min_value=0, max_value=MAX_CAPACITY)
    on_sale = serializers.BooleanField(help_text="Default of a new offer: true.")


class OwnOfferBody(OwnOfferTermsBody):
    """An offer: the lane and tier that name it, and its terms."""

    tier = WordField(choices=TierCode.choices)
    origin = CityField(help_text="City code, or its name if unambiguous.")
    destination = CityField()
    on_sale = serializers.BooleanField(default=True)


class OwnOfferAnswer(S):
    """An offer of your own."""

    id = PublicIdField(IdKind.OFFER)
    tier = serializers.ChoiceField(choices=TierCode.choices, source="tier.code")
    origin = serializers.CharField(source="origin.code", help_text="City code.")
    destination = serializers.CharField(source="destination.code")
    price = serializers.SerializerMethodField(help_text="For the first weight band.")
    currency = serializers.SerializerMethodField()
    daily_capacity = serializers.IntegerField()
    on_sale = serializers.BooleanField(source="active")
    updated_at = serializers.DateTimeField()

    @extend_schema_field(MoneyField)
    def get_price(self, offer: Offer) -> str:
        return yuan(offer.price_fen)

    def get_currency(self, _offer: Offer) -> str:
        return CURRENCY


class OfferListView(generics.ListAPIView[Offer]):
    """The courier's own offers."""

    serializer_class = OwnOfferAnswer
    filter_backends = ()

    @extend_schema(
        operation_id="offers_list",
        summary="List offers",
        description="Your own offers, the newest first.",
        tags=["offers"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Offer]:
        if getattr(self, "swagger_fake_view", False):
            return Offer.objects.none()
        refuse_unknown_parameters(self.request, "cursor", "page_size")
        actor = actor_of(self.request)
        require(actor, Capability.VIEW_OFFERS)
        return Offer.objects.visible_to(actor).select_related(*_NAMED)

    @extend_schema(
        operation_id="offers_put",
        summary="Create or replace an offer",
        description="Of the lane and tier in the body: 201 if it is new, 200 if it was there. Sending it "
        "again changes nothing. Bookings keep their price; the capacity applies from today on.",
        request=OwnOfferBody,
        responses={200: OwnOfferAnswer, 201: OwnOfferAnswer},
        examples=examples.OFFER,
        tags=["offers"],
    )
    def put(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.MANAGE_OFFERS)
        body = OwnOfferBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        terms = OfferTerms(
            tier=_tier(given["tier"]),
            origin=given["origin"],
            destination=given["destination"],
            price_fen=given["price"],
            daily_capacity=given["daily_capacity"],
            active=given["on_sale"],
        )
        offer, is_new = put_offer(actor=actor, terms=terms)
        return Response(OwnOfferAnswer(offer).data, status=201 if is_new else 200)


class OfferDetailView(APIView):
    """One offer of the courier's own."""

    @extend_schema(
        operation_id="offers_retrieve",
        summary="Read an offer",
        description="One of your own offers.",
        responses=OwnOfferAnswer,
        tags=["offers"],
    )
    def get(self, request: Request, offer_id: int) -> Response:
        refuse_unknown_parameters(request)
        actor = actor_of(request)
        require(actor, Capability.VIEW_OFFERS)
        offer = Offer.objects.visible_to(actor).select_related(*_NAMED).filter(pk=offer_id).first()
        if offer is None:
            raise NotFound
        return Response(OwnOfferAnswer(offer).data)

    @extend_schema(
        operation_id="offers_change",
        summary="Change an offer",
        description="Price, daily capacity, or whether it is on sale; what is left out stays. Bookings keep "
        "their price; the capacity applies from today on.",
        request=OwnOfferTermsBody(partial=True),
        responses=OwnOfferAnswer,
        examples=examples.OFFER_TERMS,
        tags=["offers"],
    )
    def patch(self, request: Request, offer_id: int) -> Response:
        actor = actor_of(request)
        require(actor, Capability.MANAGE_OFFERS)
        body = OwnOfferTermsBody(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        offer = patch_offer(
            actor=actor,
            offer_id=offer_id,
            price_fen=given.get("price"),
            daily_capacity=given.get("daily_capacity"),
            active=given.get("on_sale"),
        )
        return Response(OwnOfferAnswer(offer).data)


def _tier(code: str) -> ServiceTier:
    tier = ServiceTier.objects.filter(code=code, active=True).first()
    if tier is None:
        raise InvalidInput(errors=[FieldError("/tier", _("This service is not on sale."), "unknown")])
    return tier
