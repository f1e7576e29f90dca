"""Querysets of applications and their parts."""

from typing import Self

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When

from alliance.choices import Capability
from alliance.models import City
from alliance.tenancy import Actor, TenantQuerySet
from couriers.choices import ApplicationState

# Applications waiting for ops first, longest waiting on top; then those waiting for applicants, then others.
QUEUE_ORDER = (
    Case(
        When(state=ApplicationState.SUBMITTED, then=Value(0)),
        When(state=ApplicationState.MORE_NEEDED, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    ).asc(),
    Case(When(state=ApplicationState.SUBMITTED, then=F("submitted_at")), default=None).asc(nulls_last=True),
    F("updated_at").desc(),
    F("pk").desc(),
)


class ApplicationQuerySet(TenantQuerySet):
    """Members see their organisation's application and its parts if they have the capability APPLY."""

    def visible_to_member(self, actor: Actor) -> Self:
        if not (actor.is_courier and actor.can(Capability.APPLY)):
            return self.none()
        return self.filter(organisation_id=actor.organisation_id)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")

    def queue(self) -> Self:
        """Order by waiting for ops, longest first; the rest newest first."""
        return self.order_by(*QUEUE_ORDER)

    def with_counts(self) -> Self:
        """Annotate the numbers of cities and documents."""
        return self.annotate(
            city_count=Count("service_cities", distinct=True),
            document_count=Count("documents", distinct=True),
        )


class ApplicationPartQuerySet(ApplicationQuerySet):
    """Documents, cities and events of applications."""


def cities_matching(query: str) -> QuerySet[City]:
    """Return the cities whose name, province or code contains the text, largest first."""
    text = " ".join(query.split())
    return City.objects.filter(
        Q(search_text__icontains=text)
        | Q(name_en__icontains=text)
        | Q(name_zh__icontains=text)
        | Q(province_en__icontains=text)
        | Q(province_zh__icontains=text)
        | Q(code__iexact=text)
    ).order_by("-population", "pk")
