"""API of credit statements: months, their parts, and the ledger's entries."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.fields import MONTH as MONTH_PATTERN
from alliance.api.fields import MoneyField, MonthField
from alliance.api.pagination import CursorPagination, Narrowed, seal_of, wrong_cursor
from alliance.api.parsing import refuse_unknown_parameters
from alliance.api.public_ids import PartyField, PublicIdField, party_pattern
from alliance.choices import Capability
from alliance.public_ids import IdKind
from alliance.tenancy import require
from couriers.homes.lists import at_homes
from slas.choices import CommitmentKind, CreditCause, TierCode
from slas.credits.accounts import Account
from slas.credits.statements import (
    MonthSums,
    MonthTotal,
    Part,
    Summary,
    Sums,
    account_of,
    month_for,
    months_of,
    read_place,
    summary_of,
)
from slas.models import CreditEntry
from slas.promises.prices import CURRENCY, yuan

OF_WHOM = OpenApiParameter(
    "organisation",
    {"type": "string", "pattern": party_pattern(IdKind.COURIER, IdKind.MERCHANT)},
    description="Required for ops, not allowed otherwise: the id of a merchant or courier.",
)
MONTH = OpenApiParameter(
    "month", str, OpenApiParameter.PATH, description="YYYY-MM, in Beijing time.", pattern=MONTH_PATTERN
)


CURSOR = OpenApiParameter("cursor", str, description="From `next_counterparties`.")
# Counterparties in an answer.
PARTS = 100


class MonthAnswer(serializers.Serializer[Any]):
    """A month of one's statements; money in CNY as decimal strings."""

    month = MonthField(help_text="YYYY-MM.")
    state = serializers.ChoiceField(
        choices=["open", "final"], help_text="Final: later corrections go to the next open month."
    )
    closed_at = serializers.DateTimeField(allow_null=True)
    entries = serializers.IntegerField()
    total = MoneyField(help_text="Credited to the merchant, less reversals.")
    currency = serializers.CharField()


class MonthsAnswer(serializers.Serializer[Any]):
    organisation = PartyField(
        IdKind.COURIER, IdKind.MERCHANT, help_text="Id of the merchant or courier of these statements."
    )
    organisation_name = serializers.CharField()
    results = MonthAnswer(many=True)


class PartAnswer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A tier's code, an organisation's id, or a cause.")
    name = serializers.CharField(help_text="In the language of the request.")
    entries = serializers.IntegerField()
    credited = MoneyField()
    taken_back = MoneyField()
    total = MoneyField()


class StatementAnswer(MonthAnswer):
    organisation = PartyField(IdKind.COURIER, IdKind.MERCHANT)
    organisation_name = serializers.CharField()
    credited = MoneyField()
    taken_back = MoneyField()
    by_tier = PartAnswer(many=True)
    by_counterparty = PartAnswer(
        many=True, help_text=f"Those with the greatest total first, {PARTS} at most: see the next page."
    )
    next_counterparties = serializers.URLField(
        allow_null=True, help_text="The same month with the counterparties that follow; null after the last."
    )
    by_cause = PartAnswer(many=True)


class EntryAnswer(serializers.ModelSerializer[CreditEntry]):
    """One line of the ledger: written once, never changed; what was wrong is put right by another."""

    id = PublicIdField(IdKind.CREDIT_ENTRY)
    tracking_number = serializers.CharField(source="number")
    kind = serializers.ChoiceField(choices=CommitmentKind.choices)
    merchant = PartyField(IdKind.MERCHANT, source="merchant.public_id")
    merchant_name = serializers.CharField(source="merchant.name")
    courier = PartyField(IdKind.COURIER, source="courier.organisation.public_id")
    courier_name = serializers.CharField(source="courier.organisation.name")
    tier = serializers.ChoiceField(choices=TierCode.choices, source="tier.code")
    judged_by = serializers.DateTimeField(source="due_at", help_text="The promise that was not kept.")
    reached_at = serializers.DateTimeField(allow_null=True)
    late_by_seconds = serializers.IntegerField(
        source="late_by",
        allow_null=True,
        help_text="For a parcel not delivered, the delay so far when the entry was recorded.",
    )
    cause = serializers.ChoiceField(choices=CreditCause.choices)
    amount = serializers.SerializerMethodField(help_text="Negative for a reversal.")
    currency = serializers.SerializerMethodField()
    written_at = serializers.DateTimeField(source="at")

    class Meta:
        model = CreditEntry
        fields = (
            "id", "tracking_number", "kind", "merchant", "merchant_name", "courier", "courier_name", "tier",
            "judged_by", "reached_at", "late_by_seconds", "cause", "amount", "currency", "written_at",
        )  # fmt: skip

    @extend_schema_field(MoneyField)
    def get_amount(self, entry: CreditEntry) -> str:
        return yuan(entry.amount_fen)

    def get_currency(self, _entry: CreditEntry) -> str:
        return CURRENCY


class StatementsView(APIView):
    """The account's months, the newest first."""

    @extend_schema(
        operation_id="statements_list",
        summary="Credit statements",
        description="Every month with credits, newest first, including the current one.",
        parameters=[OF_WHOM],
        responses=MonthsAnswer,
        tags=["statements"],
    )
    def get(self, request: Request) -> Response:
        account = _account(request)
        months = [_total_json(month) for month in months_of(account, now=timezone.now())]
        return Response({**_account_json(account), "results": months})


class StatementView(APIView):
    """One month with its parts."""

    @extend_schema(
        operation_id="statements_retrieve",
        summary="One credit statement",
        description="Totals of a month by service, by merchant or courier, and by cause.",
        parameters=[OF_WHOM, MONTH, CURSOR],
        responses=StatementAnswer,
        tags=["statements"],
    )
    def get(self, request: Request, month: str) -> Response:
        account = _account(request, "cursor")
        sums = month_for(account, month, now=timezone.now())
        summary = summary_of(account, sums, after=_place_asked(request), most=PARTS)
        return Response({**_statement_json(account, summary), "next_counterparties": _next(request, summary)})


class EntryPagination(CursorPagination):
    # Ids of entries are in the order of their commits: see work_out_credits().
    ordering = "id"

    def narrowed(self, queryset: Any) -> Any:
        return Narrowed(queryset, at_homes)


class StatementEntriesView(generics.ListAPIView[CreditEntry]):
    """The entries of a month, in the order they were written."""

    serializer_class = EntryAnswer
    pagination_class = EntryPagination
    filter_backends = ()

    @extend_schema(
        operation_id="statements_entries",
        summary="Entries of a credit statement",
        description="All ledger entries of a month, in the order they were recorded. Their amounts add up "
        "to the statement's total.",
        parameters=[OF_WHOM, MONTH],
        tags=["statements"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[CreditEntry]:
        if getattr(self, "swagger_fake_view", False):
            return CreditEntry.objects.none()
        account = _account(self.request, "cursor", "page_size")
        month = month_for(account, self.kwargs["month"], now=timezone.now())
        entries: QuerySet[CreditEntry] = account.entries().filter(month=month.month)
        # Names are read separately: a join would read them for the whole month.
        return entries.prefetch_related("merchant", "courier__organisation", "tier")


def _account(request: Request, *also: str) -> Account:
    actor = actor_of(request)
    require(actor, Capability.VIEW_FINANCE)
    refuse_unknown_parameters(request, "organisation", *also)
    return account_of(actor, organisation_id=request.query_params.get("organisation"))


def _place_asked(request: Request) -> tuple[int, int] | None:
    sealed = request.query_params.get("cursor", "")
    place = read_place(seal_of(request).open(sealed) or "") if sealed else None
    if sealed and place is None:
        raise wrong_cursor("cursor")
    return place


def _next(request: Request, summary: Summary) -> str | None:
    if not summary.next_counterparties:
        return None
    sealed = seal_of(request).close(summary.next_counterparties)
    return replace_query_param(request.build_absolute_uri(), "cursor", sealed)


def _total_json(month: MonthTotal | MonthSums) -> dict[str, Any]:
    return {
        "month": month.text,
        "state": "final" if month.closed_at else "open",
        "closed_at": month.closed_at and timezone.localtime(month.closed_at).isoformat(),
        "entries": month.entries,
        "total": month.total,
        "currency": CURRENCY,
    }


def _account_json(account: Account) -> dict[str, Any]:
    return {"organisation": account.organisation.public_id, "organisation_name": account.organisation.name}


def _statement_json(account: Account, summary: Summary) -> dict[str, Any]:
    return {
        **_account_json(account),
        **_total_json(summary.sums),
        **_sums_json(summary.sums),
        "by_tier": [_part_json(part) for part in summary.tiers],
        "by_counterparty": [_part_json(part) for part in summary.counterparties],
        "by_cause": [_part_json(part) for part in summary.causes],
    }


def _part_json(part: Part) -> dict[str, Any]:
    return {"code": part.code, "name": part.name, **_sums_json(part)}


def _sums_json(sums: Sums) -> dict[str, Any]:
    return {
        "entries": sums.entries,
        "credited": sums.credited,
        "taken_back": sums.taken_back,
        "total": sums.total,
    }
