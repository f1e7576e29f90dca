"""Scans as entries of the timeline component: in full for merchant and courier, less for the public."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from alliance.durations import duration_text
from alliance.portal.badges import Badge, badge_for
from parcels.choices import ParcelStatus, ScanCode
from parcels.scans.timelines import ScanRow, TrackedScan, reason_text

Entry = dict[str, Any]


class CalledOff(Protocol):
    """What a history tells of a parcel that no scan does."""

    booked_at: datetime
    cancelled_at: datetime | None


def full_entries(parcel: CalledOff, tracked: Iterable[TrackedScan]) -> list[Entry]:
    """Everything that happened, newest first, with whom it was the fault of and how we heard of it."""
    entries = [_full_entry(told) for told in tracked]
    return _with_booking(parcel, entries)


def public_entries(parcel: CalledOff, tracked: Iterable[TrackedScan]) -> list[Entry]:
    """What anybody with the number may read: corrections show only as what they struck out."""
    entries = [_entry(told.scan, told) for told in tracked if not told.is_correction]
    return _with_booking(parcel, entries)


def _with_booking(parcel: CalledOff, entries: list[Entry]) -> list[Entry]:
    """Add what no scan tells: booking and calling off."""
    if parcel.cancelled_at is not None:
        entries.append(_plain(badge_for("parcel", ParcelStatus.CANCELLED), parcel.cancelled_at))
    entries.append(_plain(badge_for("parcel", ParcelStatus.BOOKED), parcel.booked_at))
    # Stable: scans of one moment stay in the order of their rank.
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)


def _full_entry(told: TrackedScan) -> Entry:
    scan = told.scan
    entry = _entry(scan, told)
    if told.is_correction:
        entry["text"] = _withdrawal(told.withdraws)
    elif told.party:
        entry["text"] = _("%(reason)s · at fault: %(party)s") % {
            "reason": entry["text"],
            "party": told.party,
        }
    entry["detail"] = " · ".join(_remarks(told))
    return entry


def _entry(scan: ScanRow, told: TrackedScan) -> Entry:
    badge = badge_for("scan", scan.code)
    return {
        **_plain(badge, scan.occurred_at),
        "place": scan.facility,
        "text": reason_text(scan.reason) or _consent(scan),
        "struck": told.withdrawn_at is not None,
    }


def _plain(badge: Badge, at: datetime) -> Entry:
    return {"title": badge.label, "at": at, "icon": badge.icon, "colour": badge.colour}


def _consent(scan: ScanRow) -> str:
    if scan.code != ScanCode.AVAILABLE_FOR_PICKUP:
        return ""
    if scan.consent:
        return _("The recipient agreed to it.")
    return _("Without the recipient's consent: counts as a failed attempt.")


def _withdrawal(scan: ScanRow | None) -> str:
    if scan is None:
        return _("Withdraws a scan that has not been received.")
    badge = badge_for("scan", scan.code)
    return _("Withdraws “%(scan)s” of %(at)s.") % {"scan": badge.label, "at": _moment(scan.occurred_at)}


def _remarks(told: TrackedScan) -> Iterable[str]:
    if told.received_late is not None:
        yield _("Received %(time)s later") % {"time": duration_text(told.received_late)}
    if told.out_of_order:
        yield _("Received out of order")
    if told.withdrawn_at is not None:
        yield _("Withdrawn by a correction received %(at)s") % {"at": _moment(told.withdrawn_at)}


def _moment(at: datetime) -> str:
    return formats.date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")
