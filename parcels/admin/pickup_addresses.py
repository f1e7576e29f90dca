"""The admin of merchants' pickup addresses."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from alliance.admin import OrganisationSearchAdmin
from alliance.cities import search_cities
from alliance.long_lists import NamedListMixin
from alliance.tenancy import in_index_order
from parcels.models import PickupAddress

# Cities that a text may mean.
MOST_CITIES = 20


@admin.register(PickupAddress)
class PickupAddressAdmin(NamedListMixin, OrganisationSearchAdmin):
    list_display = (
        "name", "merchant", "city", "address", "contact_name", "contact_phone", "is_default", "removed_at",
    )  # fmt: skip
    list_select_related = ("merchant__organisation", "city")
    organisation_field = "merchant_id"
    search_help_text = _("A city, or a merchant's name or short name")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        # Of one or the other: an index gives no rows in order that are of either.
        if _cities_called(term):
            return super().get_search_results(request, queryset, term)
        return OrganisationSearchAdmin.get_search_results(self, request, queryset, term)

    def named(self, text: str, *, beyond: int | None, upwards: bool, most: int) -> list[int]:
        """Return the keys of addresses in a city, city by city: only those of one are in an index's order."""
        addresses = PickupAddress.objects.order_by("pk" if upwards else "-pk").values_list("pk", flat=True)
        if beyond is not None:
            addresses = addresses.filter(**{"pk__gt" if upwards else "pk__lt": beyond})
        with in_index_order():
            found = [pk for city in _cities_called(text) for pk in addresses.filter(city_id=city)[:most]]
        return sorted(found, reverse=not upwards)[:most]


def _cities_called(name: str) -> list[int]:
    """Return the ids of cities with exactly this name or code."""
    cities = list(search_cities(name)[:MOST_CITIES])
    names = ((city.pk, (city.name_en, city.name_zh, city.code)) for city in cities)
    return [pk for pk, own in names if name.casefold() in map(str.casefold, own)]
