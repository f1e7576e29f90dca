"""Files of bookings: how far each is, and resuming the failed ones."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from alliance.admin import FileJobMixin, OrganisationSearchAdmin
from parcels.booking_files.services.files import retry_booking_file
from parcels.models import BookingFile


@admin.register(BookingFile)
class BookingFileAdmin(FileJobMixin, OrganisationSearchAdmin):
    """Merchants' files of bookings: how far each is, and what went wrong. What they hold is not shown."""

    list_display = (
        "name", "merchant", "state", "uploaded_at", "rows", "booked", "duplicate", "rejected", "speed",
        "problem",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("merchant__organisation",)
    organisation_field = "merchant_id"
    fields = (
        "name", "merchant", "uploaded_by", "uploaded_at", "size", "encoding", "lines", "line", "state",
        "problem", "attempts", "booked", "duplicate", "rejected", "speed", "due_at", "finished_at",
        "deleted_at",
    )  # fmt: skip
    readonly_fields = ("speed",)
    resume = staticmethod(retry_booking_file)

    @admin.display(description=_("rows done"), ordering="done")
    def rows(self, file: BookingFile) -> str:
        return f"{file.done:,}"

    @admin.display(description=_("rows a second"))
    def speed(self, file: BookingFile) -> str:
        return "–" if file.rate is None else f"{file.rate:,.0f}"
