"""API of surcharges: a courier enters and withdraws them, both sides read them."""

from datetime import date
from functools import partial
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.pagination import CursorPagination
from alliance.api.parsing import refuse_unknown_parameters
from alliance.api.views import ApiView
from alliance.choices import Capability, OrganisationKind
from alliance.errors import FieldError, InvalidInput, NotPermitted
from alliance.models import Organisation
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, require
from parcels.api import freight_schema as schema
from parcels.api.freight import account_asked
from parcels.api.freight_schema import CURSOR, KEY, OF_WHOM, PAGE_SIZE, TAG
from parcels.freight.models import Surcharge
from parcels.freight.queries import own_rows, surcharge_for
from parcels.freight.services.surcharges import (
    SurchargeTerms,
    add_surcharge,
    require_courier,
    withdraw_surcharge,
)
from slas.credits.months import asked_month, month_of, spell
from slas.promises.prices import CURRENCY


class SurchargesView(ApiView):
    """The surcharges of an organisation."""

    @extend_schema(
        operation_id="surcharges_list",
        summary="List surcharges",
        description="Yours, as courier or as merchant, the newest first.",
        parameters=[OF_WHOM, schema.SurchargesQuery, CURSOR, PAGE_SIZE],
        responses=schema.SurchargePage,
        tags=[TAG],
    )
    def get(self, request: Request) -> Response:
        account = account_asked(request, "month", "counterparty", "cursor", "page_size")
        query = schema.SurchargesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        rows = own_rows(account, Surcharge).select_related(
            "merchant", "courier__organisation", "withdrawn_by"
        )
        if month := query.validated_data.get("month"):
            rows = rows.filter(month=asked_month(month))
        if counterparty := query.validated_data.get("counterparty"):
            rows = rows.filter(Q((account.other_column, _organisation(counterparty, "/counterparty").pk)))
        pages = CursorPagination()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([_surcharge_json(each) for each in page])

    @extend_schema(
        operation_id="surcharges_create",
        summary="Enter a surcharge",
        description="Into an open month of one of your merchants, perhaps for a parcel. For couriers, with "
        "`statements:write`. The merchant sees it at once. 409 `month_closed`: enter it for an open month.",
        parameters=[KEY],
        request=schema.SurchargeBody,
        responses={201: schema.SurchargeAnswer},
        examples=schema.SURCHARGE,
        tags=[TAG],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.SETTLE)
        if actor.is_merchant:
            raise NotPermitted(_("Surcharges are entered by the courier."))

        def work() -> tuple[int, dict[str, Any]]:
            body = schema.SurchargeBody(data=request.data)
            body.is_valid(raise_exception=True)
            data = body.validated_data
            terms = SurchargeTerms(
                month=_month(data.get("month")),
                merchant=data["merchant"],
                amount_fen=data["amount"],
                reason=data["reason"],
                number=data.get("tracking_number") or "",
            )
            surcharge = add_surcharge(
                actor=actor,
                courier_id=_courier_id(actor, data.get("courier")),
                terms=terms,
                now=timezone.now(),
            )
            return 201, _surcharge_json(surcharge)

        response = idempotent(request, "surcharges_create", work)
        response["Location"] = reverse("api:parcels:surcharge_detail", args=[response.data["id"]])
        return response


class SurchargeView(ApiView):
    """One surcharge."""

    @extend_schema(
        operation_id="surcharges_retrieve",
        summary="Read a surcharge",
        description="By its `id`.",
        responses=schema.SurchargeAnswer,
        tags=[TAG],
    )
    def get(self, request: Request, surcharge_id: int) -> Response:
        refuse_unknown_parameters(request)
        return Response(_surcharge_json(surcharge_for(actor_of(request), surcharge_id)))


class SurchargeWithdrawView(ApiView):
    """Take a surcharge back."""

    @extend_schema(
        operation_id="surcharges_withdraw",
        summary="Withdraw a surcharge",
        description="Enters another one of the opposite amount, of the same month, or of the first open one "
        "if that is closed, and returns it. Withdrawing again returns the same. For couriers, with "
        "`statements:write`. 409 `is_withdrawal` for one that takes back another.",
        request=schema.WithdrawBody,
        responses=schema.SurchargeAnswer,
        examples=schema.WITHDRAWAL,
        tags=[TAG],
    )
    def post(self, request: Request, surcharge_id: int) -> Response:
        actor = actor_of(request)
        require(actor, Capability.SETTLE)
        # Who may not is told before what is wrong with the body.
        require_courier(actor, surcharge_for(actor, surcharge_id).courier_id)
        body = schema.WithdrawBody(data=request.data)
        body.is_valid(raise_exception=True)
        withdrawal = withdraw_surcharge(
            actor=actor,
            surcharge_id=surcharge_id,
            reason=body.validated_data["reason"],
            now=timezone.now(),
        )
        return Response(_surcharge_json(withdrawal))


def _month(text: str | None) -> date:
    return asked_month(text) if text is not None else month_of(timezone.now())


def _courier_id(actor: Actor, public_id: str | None) -> int:
    """The caller's own courier, or the one that ops name."""
    if not actor.is_ops:
        if public_id:
            message = _("You enter your own surcharges: leave this out.")
            raise InvalidInput(errors=[FieldError("/courier", message, "unknown")])
        return actor.tenant_id
    if not public_id:
        message = _("Name the courier whose surcharge it is.")
        raise InvalidInput(errors=[FieldError("/courier", message, "required")])
    courier = _organisation(public_id, "/courier")
    if courier.kind != OrganisationKind.COURIER:
        raise InvalidInput(errors=[FieldError("/courier", _("Unknown courier."), "unknown")])
    return courier.pk


def _organisation(public_id: str, pointer: str) -> Organisation:
    found = Organisation.objects.by_id(public_id).first()
    if found is None:
        message = _("Unknown merchant or courier.")
        raise InvalidInput(errors=[FieldError(pointer, message, "unknown")])
    return found


_id = partial(public_id, IdKind.SURCHARGE)


def _surcharge_json(surcharge: Surcharge) -> dict[str, Any]:
    return {
        "id": _id(surcharge.pk),
        "month": spell(surcharge.month),
        "merchant": surcharge.merchant.public_id,
        "courier": surcharge.courier.organisation.public_id,
        "amount": surcharge.amount,
        "currency": CURRENCY,
        "reason": surcharge.reason,
        "tracking_number": surcharge.parcel_number or None,
        "written_at": timezone.localtime(surcharge.entered_at).isoformat(),
        "withdraws": surcharge.withdraws_id and _id(surcharge.withdraws_id),
        "withdrawn_by": surcharge.withdrawn_by_id and _id(surcharge.withdrawn_by_id),
    }
