"""API of freight: months, and what one comes to with each merchant or courier."""

from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.pagination import seal_of, wrong_cursor
from alliance.api.parsing import refuse_unknown_parameters
from alliance.choices import Capability
from alliance.tenancy import require
from parcels.freight.queries import Freight, FreightOfMonth, FreightPart, month_for, months_of, parts_of
from slas.credits.accounts import Account
from slas.credits.statements import account_of

S = serializers.Serializer[Any]
OF_WHOM: Final = OpenApiParameter(
    "organisation",
    str,
    description="Required for ops, not allowed otherwise: the id of a merchant or courier.",
)
MONTH: Final = OpenApiParameter(
    "month", str, OpenApiParameter.PATH, description="YYYY-MM, in Beijing time.", pattern=r"^\d{4}-\d{2}$"
)
CURSOR: Final = OpenApiParameter("cursor", str, description="From `next_counterparties`.")
# Counterparties in an answer.
PARTS: Final = 100


class FreightAnswer(S):
    """Money in CNY as decimal strings; `amount_due` is fees and surcharges less cancellations and credits."""

    booked = serializers.IntegerField()
    fees = serializers.CharField()
    cancelled = serializers.IntegerField()
    cancellations = serializers.CharField(help_text="Not positive.")
    surcharges = serializers.CharField()
    credits = serializers.CharField(help_text="What credits take off: the statement's total, negative.")
    amount_due = serializers.CharField(help_text="From merchant to courier; below zero the other way.")


class FreightMonthAnswer(FreightAnswer):
    month = serializers.CharField(help_text="YYYY-MM.")
    state = serializers.ChoiceField(choices=["open", "final"])
    closed_at = serializers.DateTimeField(allow_null=True)
    currency = serializers.CharField()


class FreightMonthsAnswer(S):
    organisation = serializers.CharField()
    organisation_name = serializers.CharField()
    results = FreightMonthAnswer(many=True)


class FreightPartAnswer(FreightAnswer):
    code = serializers.CharField(help_text="Id of the merchant or courier.")
    name = serializers.CharField()
    settled_on = serializers.DateField(allow_null=True, help_text="Of a final month that is settled.")
    settled_reference = serializers.CharField()


class FreightStatementAnswer(FreightMonthAnswer):
    organisation = serializers.CharField()
    organisation_name = serializers.CharField()
    by_counterparty = FreightPartAnswer(many=True, help_text=f"{PARTS} at most: see the next page.")
    next_counterparties = serializers.URLField(
        allow_null=True, help_text="The same month with the counterparties that follow; null after the last."
    )


class FreightStatementsView(APIView):
    """The account's months, the newest first."""

    @extend_schema(
        operation_id="freight_statements_list",
        summary="Freight statements",
        description="Every month with freight, newest first, including the current one. Parcels are counted "
        "every hour.",
        parameters=[OF_WHOM],
        responses=FreightMonthsAnswer,
        tags=["freight statements"],
    )
    def get(self, request: Request) -> Response:
        account = _account(request)
        months = [_month_json(month) for month in months_of(account, now=timezone.now())]
        return Response({**_account_json(account), "results": months})


class FreightStatementView(APIView):
    """One month with its counterparties."""

    @extend_schema(
        operation_id="freight_statements_read",
        summary="One freight statement",
        description="What a month comes to, in all and with each merchant or courier.",
        parameters=[OF_WHOM, MONTH, CURSOR],
        responses=FreightStatementAnswer,
        tags=["freight statements"],
    )
    def get(self, request: Request, month: str) -> Response:
        account = _account(request, "cursor")
        shown = month_for(account, month, now=timezone.now())
        parts = parts_of(account, shown, after=_after(request), limit=PARTS + 1)
        return Response(
            {
                **_account_json(account),
                **_month_json(shown),
                "by_counterparty": [_part_json(part) for part in parts[:PARTS]],
                "next_counterparties": _next(request, parts),
            }
        )


def _account(request: Request, *also: str) -> Account:
    actor = actor_of(request)
    require(actor, Capability.VIEW_FINANCE)
    refuse_unknown_parameters(request, "organisation", *also)
    return account_of(actor, organisation_id=request.query_params.get("organisation", ""))


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


def _month_json(month: FreightOfMonth) -> dict[str, Any]:
    return {
        "month": month.text,
        "state": "final" if month.closed_at else "open",
        "closed_at": month.closed_at and timezone.localtime(month.closed_at).isoformat(),
        **_freight_json(month),
        "currency": "CNY",
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
    }
