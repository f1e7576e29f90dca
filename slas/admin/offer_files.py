"""Files of offers: how far each is, and resuming the failed ones."""

from django.contrib import admin

from alliance.admin import FileJobMixin, OrganisationSearchAdmin
from slas.models import OfferFile
from slas.offers.services.offer_files import retry_offer_file


@admin.register(OfferFile)
class OfferFileAdmin(FileJobMixin, OrganisationSearchAdmin):
    """Couriers' files of offers: how far each is, and what went wrong."""

    list_display = (
        "name", "courier", "state", "saves", "uploaded_at", "rows", "done", "created", "changed", "rejected",
        "problem",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("courier__organisation",)
    organisation_field = "courier_id"
    fields = (
        "name", "courier", "uploaded_by", "uploaded_at", "encoding", "rows", "done", "state", "saves",
        "problem", "attempts", "created", "changed", "unchanged", "rejected", "due_at", "finished_at",
    )  # fmt: skip
    resume = staticmethod(retry_offer_file)
