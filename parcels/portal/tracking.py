"""The public tracking page: no log-in, no personal data, limited requests per minute."""

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from alliance.dates import date_text
from alliance.errors import AllianceError, Gone, InvalidInput, NotFound
from alliance.identifiers import tracking_number
from alliance.portal.forms import add_service_errors
from alliance.portal.public_pages import public_page
from alliance.web.http import client_address, limit_by_address, scoped_by_itself
from parcels.portal.orders import public_order
from parcels.portal.revisions import RecipientDayForm
from parcels.portal.tracking_page import another_day, tracking_texts
from parcels.portal.tracking_ways import closed_card, ways
from parcels.revisions.services import days_for_recipient, revise_for_recipient
from parcels.scans.timelines import EARLIER
from parcels.tracking.numbers import read_number
from parcels.tracking.queries import PublicParcel, look_up, reader_of

BUCKET = "tracking"
# Wrong digits are counted per parcel, in the database; this limits attempts across many parcels.
REVISING_BUCKET, REVISIONS_PER_MINUTE = "revising", 10


@scoped_by_itself
@require_safe
def track_search(request: HttpRequest) -> HttpResponse:
    """Show the search form, and redirect to the parcel's page."""
    number = request.GET.get("number", "").strip()
    if not number:
        return search_page(request)
    try:
        parcel_id = read_number(number)
    except NotFound as error:
        return search_page(request, number=number, problem=error.detail, status=422)
    return private(redirect("parcels:track", tracking_number(parcel_id)))


@scoped_by_itself
@require_safe
def track(request: HttpRequest, number: str) -> HttpResponse:
    """Show a parcel's status and expected arrival; public for anyone with its number."""
    limit_by_address(request, bucket=BUCKET, per_minute=settings.TRACKING_RATE_PER_MINUTE)
    try:
        parcel_id = read_number(number)
        if number != tracking_number(parcel_id):
            return private(redirect("parcels:track", tracking_number(parcel_id)))
        public_parcel = look_up(parcel_id, now=timezone.now())
    except NotFound as error:
        return search_page(request, number=number, problem=error.detail, status=error.status)
    return tracked_page(request, public_parcel)


@require_http_methods(["GET", "HEAD", "POST"])
def track_revise(request: HttpRequest, number: str) -> HttpResponse:
    """Let the recipient choose another day after proving their identity: the page with the form.

    A separate page, because most readers need no form: computing the days takes as long as the rest.
    """
    if request.method == "POST":
        limit_by_address(request, bucket=REVISING_BUCKET, per_minute=REVISIONS_PER_MINUTE)
    else:
        limit_by_address(request, bucket=BUCKET, per_minute=settings.TRACKING_RATE_PER_MINUTE)
    try:
        public_parcel = look_up(read_number(number), now=timezone.now())
    except NotFound as error:
        return search_page(request, number=number, problem=error.detail, status=error.status)
    if request.method != "POST":
        return tracked_page(request, public_parcel, _day_form(public_parcel))
    form = _day_form(public_parcel, request.POST)
    status, wait = 422, None
    if form.is_valid():
        try:
            revise_for_recipient(
                parcel_id=public_parcel.parcel.id,
                digits=form.cleaned_data["digits"],
                address=client_address(request),
                asked=form.revision_request,
                now=timezone.now(),
            )
        except InvalidInput as error:
            add_service_errors(form, error)
        # Show the error instead of raising it: an exception would roll back the count of wrong digits.
        except AllianceError as error:
            form.add_error(None, error.detail)
            # No form for who has to wait.
            form.has_days = form.has_days and error.retry_after is None
            status, wait = error.status, error.retry_after
        else:
            day = date_text(form.revision_request.day)
            messages.success(request, _("Delivery moved to %(day)s.") % {"day": day})
            # The message is at the top: without a fragment, the redirect would keep the form's.
            return private(
                redirect(f"{reverse('parcels:track', args=[public_parcel.parcel.number])}#content")
            )
    response = tracked_page(request, public_parcel, form, status=status)
    if wait is not None:
        response["Retry-After"] = str(wait)
    return response


def _day_form(public_parcel: PublicParcel, data: Any = None) -> RecipientDayForm:
    days = days_for_recipient(
        parcel=public_parcel.parcel, promised=public_parcel.promised, now=timezone.now()
    )
    return RecipientDayForm(data, days=days, zone=public_parcel.names.destination.time_zone)


def tracked_page(
    request: HttpRequest,
    public_parcel: PublicParcel,
    form: RecipientDayForm | None = None,
    *,
    send_back: SafeString | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the page of a parcel, with a form that is open on it, if any."""
    now, zone = timezone.now(), ZoneInfo(public_parcel.names.destination.time_zone)
    # Times are in the destination's time zone, wherever the reader is.
    with timezone.override(zone):
        reader = reader_of(public_parcel, now=now)
        texts, shape = tracking_texts(public_parcel, reader, after=request.GET.get(EARLIER, ""))
        parts = {
            "another_day": another_day(request, public_parcel, reader, form),
            "send_back": closed_card(public_parcel) if send_back is None else send_back,
            "ways": ways(public_parcel),
            "order": public_order(public_parcel),
        }
        texts = {**texts, **parts}
        return private(public_page(request, "parcels/tracking.html", texts, shape, status=status))


def search_page(
    request: HttpRequest, *, number: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    is_gone = status == Gone.status
    # The number of an archived parcel is no input error.
    shape = {"is_gone": is_gone, "is_wrong": bool(problem) and not is_gone}
    texts = {"number": number, "problem": problem}
    return private(public_page(request, "parcels/track_search.html", texts, shape, status=status))


def private(response: HttpResponse) -> HttpResponse:
    """Keep a page out of shared caches and search engines: its URL contains a tracking number."""
    patch_cache_control(response, private=True, no_cache=True)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
