"""The admin of merchants' pickup addresses."""

from django.contrib import admin

from alliance.admin import OrganisationSearchAdmin
from parcels.models import PickupAddress


@admin.register(PickupAddress)
class PickupAddressAdmin(OrganisationSearchAdmin):
    list_display = (
        "name", "merchant", "city", "address", "contact_name", "contact_phone", "is_default", "removed_at",
    )  # fmt: skip
    list_select_related = ("merchant__organisation", "city")
    organisation_field = "merchant_id"
    ordering = ("-pk",)
