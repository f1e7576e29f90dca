"""Scans as entries of the timeline component: complete for merchant and courier, reduced for the public."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from alliance.dates import time_text
from alliance.durations import duration_text
from alliance.portal.badges import Badge, badge_for
from parcels.choices import ParcelStatus, ScanCode
from parcels.scans.places import public_place
from parcels.scans.timelines import EARLIER, ScanRow, TrackedScan, page_of_scans, reason_text
from parcels.tracking.notes import public_title
from parcels.tracking.reasons import plain_reason

Entry = dict[str, Any]


class ParcelTimes(Protocol):
    """The times of a parcel that no scan has."""

    booked_at: datetime
    cancelled_at: datetime | None


def full_entries(parcel: ParcelTimes, tracked: Iterable[TrackedScan], *, after: str = "") -> list[Entry]:
    return _page(parcel, tracked, _full_entry, after)


def public_entries(parcel: ParcelTimes, tracked: Iterable[TrackedScan], *, after: str = "") -> list[Entry]:
    """The public entries: corrections are omitted, the scans they withdraw are struck out."""
    shown = [tracked_scan for tracked_scan in tracked if not tracked_scan.is_correction]
    return _page(parcel, shown, _public_entry, after)


def _page(
    parcel: ParcelTimes, tracked: Iterable[TrackedScan], entry: Callable[[TrackedScan], Entry], after: str
) -> list[Entry]:
    """The latest scans, or those after a place, and a link to earlier ones or the booking."""
    all_scans = list(tracked)
    # An odd place shows the latest scans, as a page of a list does.
    scans, place = page_of_scans(all_scans, after) or page_of_scans(all_scans) or ([], "")
    entries = [entry(tracked_scan) for tracked_scan in scans]
    if place:
        url = f"?{urlencode({EARLIER: place})}#history"
        return [*entries, {"title": _("Earlier scans"), "url": url, "icon": "dots", "colour": "slate"}]
    return _with_booking(parcel, entries)


def _public_entry(tracked_scan: TrackedScan) -> Entry:
    """An entry in plain words: it says that the courier tried only where the recipient was the reason."""
    scan = tracked_scan.scan
    entry = _entry(scan, tracked_scan)
    entry["place"] = public_place(scan.facility)
    entry["text"] = plain_reason(scan.reason)
    if scan.code == ScanCode.AVAILABLE_FOR_PICKUP:
        # How it is judged is for the parties.
        entry["text"] = _("The recipient agreed.") if scan.consent else _("Without the recipient's consent.")
    entry["title"] = public_title(scan.code, reason=scan.reason, consent=scan.consent) or entry["title"]
    return entry


def _with_booking(parcel: ParcelTimes, entries: list[Entry]) -> list[Entry]:
    """Add the entries of booking and cancelling, which have no scans."""
    if parcel.cancelled_at is not None:
        entries.append(_plain(badge_for("parcel", ParcelStatus.CANCELLED), parcel.cancelled_at))
    entries.append(_plain(badge_for("parcel", ParcelStatus.BOOKED), parcel.booked_at))
    # The sort is stable: scans of the same time stay in the order of their rank.
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)


def _full_entry(tracked_scan: TrackedScan) -> Entry:
    scan = tracked_scan.scan
    entry = _entry(scan, tracked_scan)
    if tracked_scan.is_correction:
        entry["text"] = _withdrawal(tracked_scan.withdraws)
    elif tracked_scan.party:
        entry["text"] = _("%(reason)s · at fault: %(party)s") % {
            "reason": entry["text"],
            "party": tracked_scan.party,
        }
    entry["detail"] = " · ".join(_remarks(tracked_scan))
    return entry


def _entry(scan: ScanRow, tracked_scan: TrackedScan) -> Entry:
    badge = badge_for("scan", scan.code)
    return {
        **_plain(badge, scan.occurred_at),
        "place": scan.facility,
        "text": reason_text(scan.reason) or _consent(scan),
        "struck": tracked_scan.withdrawn_at is not None,
    }


def _plain(badge: Badge, at: datetime) -> Entry:
    return {"title": badge.label, "at": at, "icon": badge.icon, "colour": badge.colour}


def _consent(scan: ScanRow) -> str:
    if scan.code != ScanCode.AVAILABLE_FOR_PICKUP:
        return ""
    if scan.consent:
        return _("The recipient agreed.")
    return _("Without the recipient's consent: counts as a failed attempt.")


def _withdrawal(scan: ScanRow | None) -> str:
    if scan is None:
        return _("Withdraws a scan that has not been received yet.")
    badge = badge_for("scan", scan.code)
    return _("Withdraws “%(scan)s” of %(at)s.") % {"scan": badge.label, "at": time_text(scan.occurred_at)}


def _remarks(tracked_scan: TrackedScan) -> Iterable[str]:
    if tracked_scan.received_late is not None:
        yield _("Received %(time)s later") % {"time": duration_text(tracked_scan.received_late)}
    if tracked_scan.scan.stated_at is not None:
        yield _("The courier's clock said %(at)s") % {"at": time_text(tracked_scan.scan.stated_at)}
    if tracked_scan.out_of_order:
        yield _("Received out of order")
    if tracked_scan.withdrawn_at is not None:
        yield _("Withdrawn by a correction received %(at)s") % {"at": time_text(tracked_scan.withdrawn_at)}
