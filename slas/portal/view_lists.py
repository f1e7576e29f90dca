"""The lists of promises and offers whose filters users save as views."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability
from alliance.portal.view_lists import BuiltIn, ViewList
from slas.portal import breaches, excuses, offers
from slas.portal.offer_forms import OfferFilterForm

VIEW_LISTS: Final = {
    "breaches": ViewList(
        breaches.LIST,
        _("All breaches"),
        "slas:breach_list",
        frozenset(breaches.BreachFilterForm.base_fields),
        Capability.VIEW_RATES,
        (BuiltIn(_("Still overdue"), {"state": "missing"}),),
    ),
    "exemptions": ViewList(
        excuses.LIST,
        _("Exemptions"),
        "slas:excuse_list",
        frozenset(excuses.ExcuseFilterForm.base_fields),
        Capability.VIEW_RATES,
        (BuiltIn(_("Waiting for a decision"), {"period": "90", "state": "claimed"}),),
    ),
    "offers": ViewList(
        offers.LIST,
        _("All offers"),
        "slas:offer_list",
        frozenset(OfferFilterForm.base_fields),
        Capability.VIEW_OFFERS,
    ),
}
