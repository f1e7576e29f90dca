"""Pickup requests, for ops to look up: what was asked for, and what was answered."""

from django.contrib import admin

from alliance.admin import OrganisationSearchAdmin
from parcels.models import Pickup


@admin.register(Pickup)
class PickupAdmin(OrganisationSearchAdmin):
    list_display = (
        "id", "merchant", "courier", "address", "day", "starts_at", "ends_at", "state", "missed",
        "requested_at",
    )  # fmt: skip
    list_select_related = ("merchant__organisation", "courier__organisation", "address")
    organisation_field = "merchant_id"
    fields = (
        "merchant", "courier", "address", "day", "starts_at", "ends_at", "proposed_starts_at",
        "proposed_ends_at", "move_asked_by", "move_note", "state", "missed", "parcel_ids", "weight_g", "note",
        "answer", "requested_by", "requested_at", "answered_by", "answered_at", "settled_by", "settled_at",
    )  # fmt: skip
