"""The menu items of courier companies."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability
from alliance.portal.navigation import COMPANY, COURIER, LinkedPage, NavItem

MENU: Final = (
    NavItem(
        _("Application"),
        "file-certificate",
        "couriers:application_edit",
        COMPANY,
        10,
        COURIER,
        Capability.APPLY,
    ),
    NavItem(
        _("Company data"),
        "building",
        "couriers:company_data",
        COMPANY,
        15,
        COURIER,
        # Owners and managers, once the company is a member.
        Capability.MANAGE_OFFERS,
    ),
    NavItem(
        _("Facilities"),
        "building-warehouse",
        "couriers:facility_list",
        COMPANY,
        20,
        COURIER,
        Capability.VIEW_OFFERS,
    ),
)
PAGES: Final = {LinkedPage.APPLICATION: "couriers:application_edit"}
