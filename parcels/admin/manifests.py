"""Manifests: how far their pickup is, and resuming what failed."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from alliance.admin import FileJobMixin, OrganisationSearchAdmin
from parcels.manifests.services.picking_up import resume_failed
from parcels.models import Manifest


@admin.register(Manifest)
class ManifestAdmin(FileJobMixin, OrganisationSearchAdmin):
    """Handover lists of merchants and couriers; found by the merchant."""

    list_display = (
        "number", "merchant", "courier", "day", "state", "listed", "picked_up", "missing_count",
        "extra_count", "problem",
    )  # fmt: skip
    list_select_related = ("merchant__organisation", "courier__organisation")
    organisation_field = "merchant_id"
    fields = (
        "number", "merchant", "courier", "origin", "pickup_address", "day", "ordinal", "state", "listed",
        "done", "picked_up", "cancelled", "removed_count", "missing_count", "extra_count", "made_at",
        "made_by", "picked_up_at", "picked_up_by", "finished_at", "cancelled_at", "merchant_remark",
        "courier_remark", "problem", "attempts", "due_at",
    )  # fmt: skip
    readonly_fields = ("number", "removed_count", "missing_count", "extra_count")
    resume = staticmethod(resume_failed)

    @admin.display(description=_("number"))
    def number(self, manifest: Manifest) -> str:
        return manifest.number

    @admin.display(description=_("taken off"))
    def removed_count(self, manifest: Manifest) -> int:
        return len(manifest.removed)

    @admin.display(description=_("missing"))
    def missing_count(self, manifest: Manifest) -> int:
        return len(manifest.missing)

    @admin.display(description=_("not listed"))
    def extra_count(self, manifest: Manifest) -> int:
        return len(manifest.extra)
