"""The admin of merchants' pickup addresses."""

from django.contrib import admin

from alliance.admin import ReadOnlyAdmin
from parcels.models import PickupAddress


@admin.register(PickupAddress)
class PickupAddressAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "merchant", "city", "address", "contact_name", "contact_phone", "is_default", "removed_at",
    )  # fmt: skip
    list_select_related = ("merchant__organisation", "city")
    search_fields = ("name", "merchant__organisation__name", "city__name_en", "city__name_zh")
