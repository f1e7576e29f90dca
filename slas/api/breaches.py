"""API of the service levels."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.pagination import CursorPagination, Narrowed
from alliance.api.parsing import WordField, refuse_unknown_parameters
from alliance.api.public_ids import PartyField
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.identifiers import tracking_number
from alliance.public_ids import IdKind
from alliance.tenancy import require
from couriers.homes.lists import at_homes
from slas.choices import CommitmentKind, Outcome, TierCode
from slas.listed import with_names
from slas.models import Breach, Commitment, ServiceTier
from slas.revisions.queries import first_promises

# Of the promise as it stands now.
_STATE: Final = ("outcome", "reached_at", "excused")


class BreachesQuery(serializers.Serializer[Any]):
    """Which breaches to list."""

    state = WordField(choices=["standing", "withdrawn"], required=False, help_text="Default: both.")
    kind = WordField(choices=CommitmentKind.choices, required=False)
    tier = WordField(choices=TierCode.choices, required=False)


class BrokenPromise(serializers.Serializer[Any]):
    """As in a parcel's `promise`; of the pickup, if `kind` says so."""

    original = serializers.DateTimeField(help_text="As promised at booking. It never changes.")
    current = serializers.DateTimeField(help_text="As agreed now.")
    judged_by = serializers.DateTimeField(help_text="The time that on-time is judged by.")


class BreachAnswer(serializers.ModelSerializer[Breach]):
    """A promise that was not kept, and what became of it since."""

    tracking_number = serializers.SerializerMethodField()
    courier = PartyField(IdKind.COURIER, source="courier.organisation.public_id")
    courier_name = serializers.CharField(source="courier.organisation.name")
    merchant = PartyField(IdKind.MERCHANT, source="merchant.public_id")
    merchant_name = serializers.CharField(source="merchant.name")
    tier = serializers.CharField(source="tier.code")
    promise = BrokenPromise()
    outcome = serializers.ChoiceField(choices=Outcome.choices, help_text="Current state of the promise.")
    reached_at = serializers.DateTimeField(allow_null=True)
    is_excused = serializers.BooleanField(source="excused")

    class Meta:
        model = Breach
        fields = (
            "tracking_number", "kind", "courier", "courier_name", "merchant", "merchant_name", "tier",
            "promise", "reached_at", "outcome", "is_excused", "opened_at", "withdrawn_at",
        )  # fmt: skip

    def get_tracking_number(self, breach: Breach) -> str:
        return tracking_number(breach.parcel_id)


class BreachPagination(CursorPagination):
    ordering = ("-opened_at", "-parcel_id", "kind")  # type: ignore[assignment]
    # One sweep opens thousands at the same time: the cursor counts on within that time, however many.
    offset_cutoff = None  # type: ignore[assignment]

    def narrowed(self, queryset: Any) -> Any:
        return Narrowed(queryset, at_homes)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        page: list[Breach] = super().paginate_queryset(queryset, request, view)
        return with_names(_with_promises(page), names=("courier", "merchant", "tier"))


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
        breaches: QuerySet[Breach] = Breach.objects.visible_to(actor)
        if "state" in params:
            breaches = breaches.filter(withdrawn_at__isnull=params["state"] == "standing")
        if "kind" in params:
            breaches = breaches.filter(kind=params["kind"])
        if "tier" in params:
            breaches = breaches.filter(tier_id=_tier_id(params["tier"]))
        return breaches


def _with_promises(breaches: Sequence[Breach]) -> Sequence[Breach]:
    """Give a page's breaches the state of their promises: a subquery would ask all shards of a cluster."""
    promises = Commitment.objects.filter(parcel_id__in=[breach.parcel_id for breach in breaches])
    found = {(promise.parcel_id, promise.kind): promise for promise in promises}
    first = first_promises(list(found.values()))
    for breach in breaches:
        promise = found.get((breach.parcel_id, breach.kind))
        judged_by = promise.due_at if promise else breach.due_at
        breach.promise = {  # type: ignore[attr-defined]
            "original": first.get((breach.parcel_id, breach.kind), judged_by),
            "current": promise.revised_due_at or judged_by if promise else judged_by,
            "judged_by": judged_by,
        }
        for name in _STATE:
            setattr(breach, name, getattr(promise, name, None))
    return breaches


def _tier_id(code: str | None) -> int | None:
    if code is None:
        return None
    tier = ServiceTier.objects.filter(code=code).first()
    if tier is None:
        raise InvalidInput(errors=[FieldError("/tier", _("Unknown service."), "unknown")])
    return tier.pk
