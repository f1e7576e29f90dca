"""What the public tracking page says of a parcel: the texts of parcels/tracking.html, and its shape."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.durations import duration_text
from alliance.portal.components import stepper, timeline
from alliance.sandboxes import is_sandbox
from alliance.web.stencils import Shape, Texts, filled
from alliance.wording import sentences
from parcels.choices import ParcelStatus
from parcels.portal.revisions import RecipientDayForm, revision_view
from parcels.portal.timeline_entries import public_entries
from parcels.revisions.services import OVER, why_no_day
from parcels.scans.timelines import zone_text
from parcels.tracking.advice import Advice, Reader, advice_of
from parcels.tracking.arrivals import Precision
from parcels.tracking.queries import PublicParcel
from parcels.tracking.state import ParcelState
from slas.choices import Outcome, RevisionParty


def tracking_texts(public_parcel: PublicParcel, reader: Reader, *, after: str) -> tuple[Texts, Shape]:
    """Return the page's texts and shape, with the latest scans or those after a place.

    Call it in the time zone of the parcel's destination. Without `another_day`, of which the view knows.
    """
    parcel, names, state = public_parcel.parcel, public_parcel.names, public_parcel.state
    advice = advice_of(state, reader)
    zone = names.destination.time_zone
    texts = {
        "number": parcel.number,
        **_advice_texts(advice),
        **_promise_texts(state, zone),
        "steps": stepper(public_parcel.steps, label=_("Delivery progress")),
        "zone": zone_text(zone, parcel.deliver_by),
        "revised": _revised(public_parcel, zone),
        "origin": names.origin.name,
        "city": names.destination.name,
        "service": names.tier.name,
        "courier": names.courier,
        "history": timeline(public_entries(parcel, public_parcel.tracked, after=after)),
    }
    promise = state.promise
    shape = {
        "is_late": state.is_late,
        "is_test": is_sandbox(parcel.merchant_id),
        # Not once a later day was agreed on: then it is awaited on that day.
        "is_overdue": state.is_overdue and promise is not None and promise.deliver_by <= reader.now,
        "promised": _promised(state),
    }
    return texts, shape


def another_day(
    request: HttpRequest, public_parcel: PublicParcel, reader: Reader, form: RecipientDayForm | None
) -> SafeString:
    """Return the part of the page where the recipient chooses another day; "" where there is no choice."""
    parcel = public_parcel.parcel
    # Most parcels that are looked at have arrived: their promise need not be put together.
    promised = None if parcel.status in OVER else public_parcel.promised
    no_day = why_no_day(parcel=parcel, promised=promised, party=RevisionParty.RECIPIENT)
    if not (reader.may_choose_day or no_day or (form is not None and form.errors)):
        return SafeString()
    texts = {"day_url": reverse("parcels:track_revise", args=[parcel.number]), "no_day": no_day}
    if form is None:
        return filled("parcels/recipient_day.html", texts, {})
    return render_to_string("parcels/recipient_day.html", {**texts, "day_form": form}, request)


def _advice_texts(advice: Advice) -> dict[str, Any]:
    return {
        "summary": advice.summary,
        # The line below the title in a messenger's preview.
        "description": sentences(advice.what, advice.next),
        "heading": advice.title,
        "when": advice.when,
        "what": advice.what,
        "next": advice.next,
        "to_do": advice.to_do,
        "ask": advice.ask,
    }


def _promise_texts(state: ParcelState, zone: str) -> dict[str, str]:
    promise, arrival = state.promise, state.arrival
    if promise is None:
        return {}
    tells_latest = (
        arrival is not None
        and not arrival.is_promise
        and arrival.precision != Precision.DAY
        and arrival.p90_at > arrival.p50_at
    )
    return {
        "deliver_by": _moment(promise.deliver_by, zone),
        "kept": _kept_text(state),
        "latest": _moment(arrival.p90_at, zone) if arrival is not None and tells_latest else "",
    }


def _promised(state: ParcelState) -> str:
    """Whether the promise is a thing of the past ("before"), or was made anew ("anew")."""
    if state.is_ended or state.is_uncertain:
        return "before"
    return "anew" if state.promise is not None and state.promise.is_moved else ""


def _moment(at: datetime, zone: str) -> str:
    return date_text(local_clock(at, zone), "MOMENT_FORMAT")


def _kept_text(state: ParcelState) -> str:
    """Whether the promise was kept, in a sentence; "" while it is open."""
    promise = state.promise
    if promise is None:
        return ""
    delivered = state.status == ParcelStatus.DELIVERED
    # What was brought after the promised time had been attempted before it.
    is_in_time = state.status_at <= promise.judged_by
    params = {"time": duration_text(promise.late_by or timedelta())}
    match promise.outcome:
        case Outcome.OVERDUE if state.is_ended:
            return _("The promise was not kept.")
        case Outcome.LATE if delivered:
            return _("Delivered late: %(time)s after the promised time.") % params
        case Outcome.LATE:
            return _("The first delivery attempt was late: %(time)s after the promised time.") % params
        case Outcome.MET if is_in_time and (delivered or state.status == ParcelStatus.AVAILABLE_FOR_PICKUP):
            return _("The promise was kept.")
        case Outcome.MET:
            return _("Delivery was attempted on time.")
    return ""


def _revised(public_parcel: PublicParcel, zone: str) -> SafeString:
    revision = revision_view(public_parcel.revisions)
    if revision is None:
        return SafeString()
    context = {"revision": revision, "zone_name": zone, "public": True}
    return render_to_string("parcels/revision_lines.html", context)
