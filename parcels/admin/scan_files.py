"""Files of scans: how far each is, and resuming the failed ones."""

from django.contrib import admin

from alliance.admin import FileJobMixin, OrganisationSearchAdmin
from parcels.models import ScanFile
from parcels.scan_files.services import retry_scan_file


@admin.register(ScanFile)
class ScanFileAdmin(FileJobMixin, OrganisationSearchAdmin):
    """Couriers' files of scans: how far each is, and what went wrong."""

    list_display = (
        "name", "courier", "state", "uploaded_at", "rows", "done", "accepted", "duplicate", "rejected",
        "problem",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("courier__organisation",)
    organisation_field = "courier_id"
    fields = (
        "name", "courier", "uploaded_by", "uploaded_at", "encoding", "rows", "done", "state", "problem",
        "attempts", "accepted", "duplicate", "rejected", "due_at", "finished_at",
    )  # fmt: skip
    resume = staticmethod(retry_scan_file)
