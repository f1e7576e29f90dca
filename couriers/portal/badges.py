"""Badges of a courier's application and grade."""

from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.portal.badges import Badge
from couriers.choices import ApplicationState, Grade

_APPLICATION_STATES: Final[dict[str, Badge]] = {
    ApplicationState.DRAFT: Badge(_("Draft"), "slate", "pencil"),
    ApplicationState.SUBMITTED: Badge(_("Waiting for review"), "blue", "send"),
    ApplicationState.MORE_NEEDED: Badge(_("More information needed"), "amber", "message-question"),
    ApplicationState.APPROVED: Badge(_("Approved"), "green", "circle-check"),
    ApplicationState.REJECTED: Badge(_("Rejected"), "red", "circle-x"),
}

_GRADES: Final[dict[str, Badge]] = {
    Grade.GOLD: Badge(pgettext_lazy("grade", "Gold"), "amber", "medal"),
    Grade.SILVER: Badge(pgettext_lazy("grade", "Silver"), "slate", "medal-2"),
    Grade.MEMBER: Badge(pgettext_lazy("grade", "Member"), "blue", "users"),
    Grade.PROBATION: Badge(pgettext_lazy("grade", "Probation"), "red", "alert-triangle"),
}

# Family -> value -> badge.
BADGES: Final[dict[str, dict[str, Badge]]] = {
    "application": _APPLICATION_STATES,
    "grade": _GRADES,
}
