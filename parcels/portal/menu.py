"""The portal's menu items of parcels."""

from typing import Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.choices import Capability
from alliance.portal.navigation import (
    COMPANY,
    COURIER,
    MEMBERS,
    MERCHANT,
    START,
    LinkedPage,
    NavItem,
    Section,
)
from alliance.tenancy import Actor
from parcels.pickups.queries import count_to_answer
from slas.forecasts.services.watch_list import count_watched

WORK: Final = Section(pgettext_lazy("menu section", "Parcels"), 10)


def _waiting_parcels(actor: Actor) -> int:
    return count_watched(actor=actor)


def _pickups_to_answer(actor: Actor) -> int:
    return count_to_answer(actor=actor, now=timezone.now())


MENU: Final = (
    NavItem(
        _("Freight"), "truck-delivery", "parcels:freight_list", WORK, 70, MEMBERS, Capability.VIEW_FINANCE
    ),
    NavItem(
        _("Dashboard"),
        "layout-dashboard",
        "parcels:dashboard_view",
        START,
        10,
        MEMBERS,
        Capability.VIEW_RATES,
    ),
    NavItem(
        _("Quote and book"),
        "package-export",
        "parcels:quote_create",
        WORK,
        10,
        MERCHANT,
        Capability.BOOK_PARCELS,
    ),
    NavItem(
        _("Book from a file"),
        "file-spreadsheet",
        "parcels:booking_upload",
        WORK,
        20,
        MERCHANT,
        Capability.BOOK_PARCELS,
    ),
    NavItem(
        _("Connected shops"),
        "building-store",
        "parcels:shop_list",
        WORK,
        57,
        MERCHANT,
        Capability.MANAGE_WEBHOOKS,
    ),
    NavItem(_("Parcels"), "packages", "parcels:parcel_list", WORK, 30, MEMBERS, Capability.VIEW_PARCELS),
    NavItem(_("Labels"), "tag", "parcels:label_list", WORK, 35, MEMBERS, Capability.VIEW_PARCELS),
    NavItem(
        _("Manifests"),
        "clipboard-list",
        "parcels:manifest_list",
        WORK,
        37,
        MEMBERS,
        Capability.VIEW_PARCELS,
    ),
    NavItem(
        _("Pickups"),
        "truck-loading",
        "parcels:pickup_list",
        WORK,
        38,
        MEMBERS,
        Capability.VIEW_PARCELS,
        count=_pickups_to_answer,
    ),
    NavItem(
        _("Watch list"),
        "eye-exclamation",
        "parcels:watch_list",
        WORK,
        40,
        MEMBERS,
        Capability.VIEW_PARCELS,
        count=_waiting_parcels,
    ),
    NavItem(
        _("Returns"), "package-import", "parcels:return_list", WORK, 47, MERCHANT, Capability.BOOK_PARCELS
    ),
    NavItem(
        _("Company data"),
        "building",
        "parcels:company_contact",
        COMPANY,
        16,
        MERCHANT,
        Capability.MANAGE_KEYS,
    ),
    NavItem(
        _("Webhooks"), "webhook", "parcels:webhook_list", COMPANY, 100, MEMBERS, Capability.MANAGE_WEBHOOKS
    ),
    NavItem(
        _("Pickup addresses"), "map-pin", "parcels:address_list", WORK, 50, MERCHANT, Capability.BOOK_PARCELS
    ),
    NavItem(
        _("Address book"),
        "address-book",
        "parcels:recipient_list",
        WORK,
        55,
        MERCHANT,
        Capability.BOOK_PARCELS,
    ),
    NavItem(_("Upload scans"), "scan", "parcels:scan_upload", WORK, 60, COURIER, Capability.SEND_SCANS),
)
PAGES: Final = {
    LinkedPage.DASHBOARD: "parcels:dashboard_view",
    LinkedPage.TRACKING: "parcels:track_search",
}
