"""The menu entries of offers, rates, exports, scorecards and statements."""

from functools import partial
from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.choices import Capability
from alliance.database.cluster import is_distributed
from alliance.database.written_once import WrittenOnce
from alliance.figures import kept
from alliance.portal.navigation import COURIER, MEMBERS, MERCHANT, NavItem, Section
from alliance.tenancy import Actor
from slas.models import Excuse

SERVICE: Final = Section(pgettext_lazy("menu section", "Service"), 20)


def _waiting_claims(actor: Actor) -> int:
    """The number of a courier's claims waiting for a decision. On nearly every page of the portal."""
    return kept("claims", actor, partial(_count, actor), otherwise=0) if actor.is_courier else 0


def _count(actor: Actor) -> int:
    if is_distributed():
        return sum(count for _state, count in Excuse.objects.visible_to(actor).waiting().counts("state"))
    return _WAITING.count(actor.tenant_id)


_WAITING: Final = WrittenOnce(
    lambda courier_id: Excuse.objects.filter(courier_id=courier_id).waiting().values("pk")
)


MENU: Final = (
    NavItem(
        _("Allocation rules"),
        "arrows-split",
        "slas:rule_list",
        SERVICE,
        15,
        MERCHANT,
        Capability.BOOK_PARCELS,
    ),
    NavItem(_("Offers"), "route", "slas:offer_list", SERVICE, 10, COURIER, Capability.VIEW_OFFERS),
    NavItem(_("On-time rates"), "chart-line", "slas:rate_list", SERVICE, 20, MEMBERS, Capability.VIEW_RATES),
    NavItem(
        _("Breaches"), "clock-exclamation", "slas:breach_list", SERVICE, 30, MEMBERS, Capability.VIEW_RATES
    ),
    NavItem(
        _("Exemptions"),
        "shield-check",
        "slas:excuse_list",
        SERVICE,
        40,
        MEMBERS,
        Capability.VIEW_RATES,
        count=_waiting_claims,
    ),
    NavItem(_("Exports"), "file-export", "slas:export_list", SERVICE, 50, MEMBERS, Capability.EXPORT),
    NavItem(_("Scorecards"), "medal", "slas:scorecard_list", SERVICE, 60, COURIER, Capability.VIEW_RATES),
    NavItem(
        _("How couriers are graded"),
        "medal",
        "slas:scorecard_rules",
        SERVICE,
        70,
        MERCHANT,
        Capability.VIEW_RATES,
    ),
    NavItem(_("Services and closures"), "calendar-off", "slas:promise_rules", SERVICE, 80, MEMBERS),
    NavItem(_("Statements"), "receipt", "slas:statement_list", SERVICE, 90, MEMBERS, Capability.VIEW_FINANCE),
)
