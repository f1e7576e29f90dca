"""Months of parcels that were moved out of the database."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from alliance.admin import ReadOnlyAdmin
from alliance.models import RetiredMonth
from parcels.models import Parcel


@admin.register(RetiredMonth)
class RetiredMonthAdmin(ReadOnlyAdmin):
    """Months that are in files only: where, and how much of what."""

    list_display = ("__str__", "state", "folder", "parcels", "due_through", "began_at", "gone_at", "label")

    @admin.display(description=_("parcels"))
    def parcels(self, month: RetiredMonth) -> int | None:
        kept = month.tables.get(Parcel._meta.db_table)
        return kept["rows"] if kept else None
