"""The lists of parcels whose filters users save as views."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability
from alliance.portal.view_lists import BuiltIn, ViewList
from parcels.lists.filters import ParcelFilter
from parcels.portal import parcel_list, watch_list

VIEW_LISTS: Final = {
    "parcels": ViewList(
        parcel_list.LIST,
        _("All parcels"),
        "parcels:parcel_list",
        frozenset(ParcelFilter.base_filters),
        Capability.VIEW_PARCELS,
        (
            BuiltIn(_("Due today"), {"due": "today"}),
            BuiltIn(_("Late"), {"late": "true"}),
            BuiltIn(_("On the watch list"), {}, "parcels:watch_list"),
        ),
    ),
    "watch": ViewList(
        watch_list.LIST,
        _("Needs attention"),
        "parcels:watch_list",
        frozenset(watch_list.WatchFilterForm.base_fields),
        Capability.VIEW_PARCELS,
    ),
}
