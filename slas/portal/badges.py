"""The badges of outcomes, excuses and watch reasons."""

from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.portal.badges import Badge
from slas.choices import ExcuseState, Outcome, WatchReason

_OUTCOMES: Final[dict[str, Badge]] = {
    Outcome.PENDING: Badge(_("Pending"), "slate", "clock"),
    Outcome.MET: Badge(_("On time"), "green", "circle-check"),
    Outcome.OVERDUE: Badge(_("Overdue"), "red", "alarm"),
    Outcome.LATE: Badge(_("Late"), "orange", "clock-exclamation"),
    Outcome.VOID: Badge(_("Void"), "grey", "circle-off"),
}

_EXCUSE_STATES: Final[dict[str, Badge]] = {
    ExcuseState.CLAIMED: Badge(_("Waiting for a decision"), "blue", "hourglass"),
    ExcuseState.GRANTED: Badge(_("Granted"), "green", "shield-check"),
    ExcuseState.DECLINED: Badge(_("Declined"), "red", "circle-x"),
    ExcuseState.WITHDRAWN: Badge(_("Withdrawn"), "grey", "arrow-back-up"),
    ExcuseState.REVOKED: Badge(pgettext_lazy("excuse", "Revoked"), "orange", "ban"),
    ExcuseState.LAPSED: Badge(_("Lapsed: the breach was withdrawn"), "grey", "circle-off"),
}

_WATCH_REASONS: Final[dict[str, Badge]] = {
    WatchReason.AT_RISK: Badge(_("At risk"), "amber", "clock-question"),
    WatchReason.DELAYED: Badge(_("Overdue"), "red", "alarm"),
    WatchReason.DELAYED_DISPATCH: Badge(_("Not picked up"), "orange", "package-off"),
    WatchReason.FORGOTTEN: Badge(_("Never scanned"), "brown", "ghost"),
    WatchReason.FAILED_ATTEMPT: Badge(_("Attempt failed"), "orange", "door-exit"),
    WatchReason.EXCEPTION: Badge(_("Held or damaged"), "red", "alert-triangle"),
    WatchReason.CONTRADICTION: Badge(_("Contradictory scans"), "red", "arrows-split-2"),
    WatchReason.SILENT: Badge(_("No recent scans"), "slate", "volume-off"),
}

# Family -> value -> badge.
BADGES: Final[dict[str, dict[str, Badge]]] = {
    "outcome": _OUTCOMES,
    "excuse": _EXCUSE_STATES,
    "watch": _WATCH_REASONS,
}
