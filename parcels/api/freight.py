"""API of freight: months, what one comes to with each merchant or courier, and settling it."""

from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.pagination import seal_of, wrong_cursor
from alliance.api.parsing import refuse_unknown_parameters
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.models import Organisation
from alliance.tenancy import require
from parcels.api import freight_schema as schema
from parcels.api.freight_schema import KEY, MONTH, OF_WHOM, TAG
from parcels.freight.models import FreightStatement
from parcels.freight.queries import (
    Freight,
    FreightOfMonth,
    FreightPart,
    counted_until,
    month_for,
    months_of,
    part_of,
    parts_of,
    statement_with,
)
from parcels.freight.services.settling import Payment, mark_settled, undo_settled
from slas.credits.accounts import Account
from slas.credits.statements import account_of
from slas.promises.prices import CURRENCY

# Counterparties in an answer.
PARTS: Final = schema.PARTS
_PARTS_CURSOR: Final = OpenApiParameter("cursor", str, description="From `next_counterparties`.")


class FreightStatementsView(ApiView):
    """The account's months, the newest first."""

    @extend_schema(
        operation_id="freight_statements_list",
        summary="Freight statements",
        description="Every month with freight, newest first, including the current one. Parcels are counted "
        "every hour.",
        parameters=[OF_WHOM],
        responses=schema.FreightMonthsAnswer,
        tags=[TAG],
    )
    def get(self, request: Request) -> Response:
        account = account_asked(request)
        counted = counted_until()
        months = [_month_json(month, counted) for month in months_of(account, now=timezone.now())]
        return Response({**_account_json(account), "results": months})


class FreightStatementView(ApiView):
    """One month with its counterparties."""

    @extend_schema(
        operation_id="freight_statements_retrieve",
        summary="One freight statement",
        description="What a month comes to, in all and with each merchant or courier.",
        parameters=[OF_WHOM, MONTH, _PARTS_CURSOR],
        responses=schema.FreightStatementAnswer,
        tags=[TAG],
    )
    def get(self, request: Request, month: str) -> Response:
        account = account_asked(request, "cursor")
        shown = month_for(account, month, now=timezone.now())
        parts = parts_of(account, shown, after=_after(request), limit=PARTS + 1)
        return Response(
            {
                **_account_json(account),
                **_month_json(shown, counted_until()),
                "by_counterparty": [_part_json(part) for part in parts[:PARTS]],
                "next_counterparties": _next(request, parts),
            }
        )


class FreightSettleView(ApiView):
    """The payee says that it was paid."""

    @extend_schema(
        operation_id="freight_statements_settle",
        summary="Mark a freight statement as settled",
        description="By who received the money: the courier, or the merchant of an amount below zero (403 "
        "for the payer). Needs `statements:write`. 409 `month_open` while the month is open, and "
        "`already_settled`.",
        parameters=[MONTH, KEY],
        request=schema.SettleBody,
        responses=schema.FreightPartAnswer,
        examples=schema.PAYMENT,
        tags=[TAG],
    )
    def post(self, request: Request, month: str) -> Response:
        require(actor_of(request), Capability.SETTLE)

        def work() -> tuple[int, dict[str, Any]]:
            body = schema.SettleBody(data=request.data)
            body.is_valid(raise_exception=True)
            data = body.validated_data
            payment = Payment(data["settled_on"], data.get("reference", ""), data.get("note", ""))
            statement = _statement(request, month, data)
            settled = mark_settled(
                actor=actor_of(request), statement_id=statement.pk, payment=payment, now=timezone.now()
            )
            return 200, _settled_json(settled, data["counterparty"])

        return idempotent(request, f"freight_settle:{month}", work)


class FreightUnsettleView(ApiView):
    """The payee takes that back."""

    @extend_schema(
        operation_id="freight_statements_unsettle",
        summary="Take back that a freight statement is settled",
        description="By the payee, with a reason. Needs `statements:write`. 409 `not_settled`.",
        parameters=[MONTH, KEY],
        request=schema.UnsettleBody,
        responses=schema.FreightPartAnswer,
        examples=schema.NOT_PAID,
        tags=[TAG],
    )
    def post(self, request: Request, month: str) -> Response:
        require(actor_of(request), Capability.SETTLE)

        def work() -> tuple[int, dict[str, Any]]:
            body = schema.UnsettleBody(data=request.data)
            body.is_valid(raise_exception=True)
            data = body.validated_data
            statement = _statement(request, month, data)
            undone = undo_settled(actor=actor_of(request), statement_id=statement.pk, reason=data["reason"])
            return 200, _settled_json(undone, data["counterparty"])

        return idempotent(request, f"freight_unsettle:{month}", work)


def account_asked(request: Request, *also: str) -> Account:
    """The account of a GET: the caller's own, or the one that ops name."""
    actor = actor_of(request)
    require(actor, Capability.VIEW_FINANCE)
    refuse_unknown_parameters(request, "organisation", *also)
    return account_of(actor, organisation_id=request.query_params.get("organisation"))


def _statement(request: Request, month: str, data: dict[str, Any]) -> FreightStatement:
    account = account_of(actor_of(request), organisation_id=data.get("organisation") or None)
    return statement_with(account, month_for(account, month, now=timezone.now()), data["counterparty"])


def _after(request: Request) -> int:
    sealed = request.query_params.get("cursor", "")
    place = seal_of(request).open(sealed) if sealed else "0"
    if place is None or not place.isdecimal():
        raise wrong_cursor("cursor")
    return int(place)


def _next(request: Request, parts: list[FreightPart]) -> str | None:
    last = parts[PARTS - 1].organisation if len(parts) > PARTS else None
    if last is None:
        return None
    return replace_query_param(request.build_absolute_uri(), "cursor", seal_of(request).close(str(last.pk)))


def _freight_json(freight: Freight) -> dict[str, Any]:
    return {
        "booked": freight.booked_count,
        "fees": freight.fees,
        "cancelled": freight.cancelled_count,
        "cancellations": freight.cancelled,
        "surcharges": freight.surcharges,
        "credits": freight.credits,
        "amount_due": freight.total,
    }


def _account_json(account: Account) -> dict[str, Any]:
    return {"organisation": account.organisation.public_id, "organisation_name": account.organisation.name}


def _month_json(month: FreightOfMonth, counted: datetime | None) -> dict[str, Any]:
    return {
        "month": month.text,
        "state": "final" if month.closed_at else "open",
        "closed_at": month.closed_at and timezone.localtime(month.closed_at).isoformat(),
        "counted_at": counted and not month.closed_at and timezone.localtime(counted).isoformat() or None,
        **_freight_json(month),
        "currency": CURRENCY,
    }


def _part_json(part: FreightPart) -> dict[str, Any]:
    organisation, statement = part.organisation, part.statement
    settled_on = statement.settled_on if statement else None
    return {
        "code": organisation.public_id if organisation else "",
        "name": organisation.name if organisation else "",
        **_freight_json(part),
        "settled_on": settled_on and settled_on.isoformat(),
        "settled_reference": statement.settled_reference if statement else "",
        "settled_note": statement.settled_note if statement else "",
    }


def _settled_json(statement: FreightStatement, counterparty: str) -> dict[str, Any]:
    part = part_of(statement)
    part.organisation = Organisation.objects.by_id(counterparty).get()
    return _part_json(part)
