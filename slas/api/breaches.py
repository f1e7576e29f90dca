"""API of the service levels."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.pagination import CursorPagination
from alliance.api.parsing import WordField, refuse_unknown_parameters
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.identifiers import tracking_number
from alliance.tenancy import require
from slas.choices import CommitmentKind, Outcome, TierCode
from slas.listed import with_names
from slas.models import Breach, Commitment, ServiceTier


class BreachesQuery(serializers.Serializer[Any]):
    """Which breaches to list."""

    state = WordField(choices=["standing", "withdrawn"], required=False, help_text="Default: both.")
    kind = WordField(choices=CommitmentKind.choices, required=False)
    tier = WordField(choices=TierCode.choices, required=False)


class BreachAnswer(serializers.ModelSerializer[Breach]):
    """A promise that was not kept, and what became of it since."""

    number = serializers.SerializerMethodField(help_text="The parcel's tracking number.")
    courier = serializers.CharField(source="courier.organisation.slug")
    merchant = serializers.CharField(source="merchant.slug")
    tier = serializers.CharField(source="tier.code")
    outcome = serializers.ChoiceField(choices=Outcome.choices, help_text="Current state of the promise.")
    reached_at = serializers.DateTimeField(allow_null=True)
    excused = serializers.BooleanField()

    class Meta:
        model = Breach
        fields = (
            "number", "kind", "courier", "merchant", "tier", "due_at", "reached_at", "outcome", "excused",
            "opened_at", "withdrawn_at",
        )  # fmt: skip

    def get_number(self, breach: Breach) -> str:
        return tracking_number(breach.parcel_id)


class BreachPagination(CursorPagination):
    ordering = ("-opened_at", "-parcel_id", "kind")  # type: ignore[assignment]
    # One sweep opens thousands at the same time: the cursor counts on within that time, however many.
    offset_cutoff = None  # type: ignore[assignment]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        page: list[Breach] = super().paginate_queryset(queryset, request, view)
        return with_names(page, names=("courier", "merchant", "tier"))


class BreachesView(generics.ListAPIView[Breach]):
    """Promises not kept, the newest first: the actor's own, or for ops all."""

    serializer_class = BreachAnswer
    pagination_class = BreachPagination
    filter_backends = ()

    @extend_schema(
        operation_id="breaches_list",
        summary="Breaches",
        description="Promises that were not kept, newest first, with their current state.",
        parameters=[BreachesQuery],
        tags=["rates"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Breach]:
        actor = actor_of(self.request)
        require(actor, Capability.VIEW_RATES)
        refuse_unknown_parameters(self.request, *BreachesQuery().fields, "cursor", "page_size")
        query = BreachesQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        params = query.validated_data
        commitment = Commitment.objects.filter(parcel_id=OuterRef("parcel_id"), kind=OuterRef("kind"))
        breaches = Breach.objects.visible_to(actor).annotate(
            outcome=Subquery(commitment.values("outcome")),
            reached_at=Subquery(commitment.values("reached_at")),
            excused=Subquery(commitment.values("excused")),
        )
        if "state" in params:
            breaches = breaches.filter(withdrawn_at__isnull=params["state"] == "standing")
        if "kind" in params:
            breaches = breaches.filter(kind=params["kind"])
        if "tier" in params:
            breaches = breaches.filter(tier_id=_tier_id(params["tier"]))
        return breaches


def _tier_id(code: str | None) -> int | None:
    if code is None:
        return None
    tier = ServiceTier.objects.filter(code=code).first()
    if tier is None:
        raise InvalidInput(errors=[FieldError("/tier", _("Unknown service."), "unknown")])
    return tier.pk
