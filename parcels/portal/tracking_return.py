"""The recipient asks for a return on the tracking page, and fetches the label of the way back."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from alliance.errors import AllianceError, InvalidInput, NotFound
from alliance.portal.forms import add_service_errors
from alliance.web.http import client_address, limit_by_address
from parcels.labels.files import LabelFile
from parcels.labels.rules import LabelStyle, file_name
from parcels.portal.return_forms import RecipientReturnForm
from parcels.portal.tracking import (
    BUCKET,
    REVISING_BUCKET,
    REVISIONS_PER_MINUTE,
    private,
    search_page,
    tracked_page,
)
from parcels.portal.tracking_ways import WayBack, open_card, way_back
from parcels.returns.rules import Sent, refusal_of, why_not_asked
from parcels.returns.services.requests import Proof, ask_for_return, label_for_recipient, withdraw_request
from parcels.tracking.numbers import read_number
from parcels.tracking.queries import PublicParcel, look_up

ASK, WITHDRAW, LABEL = "ask", "withdraw", "label"


@require_http_methods(["GET", "HEAD", "POST"])
def track_return(request: HttpRequest, number: str) -> HttpResponse:
    """Show the form, or do what the recipient asks for once they have proved who they are."""
    is_writing = request.method == "POST"
    limit_by_address(
        request,
        bucket=REVISING_BUCKET if is_writing else BUCKET,
        per_minute=REVISIONS_PER_MINUTE if is_writing else settings.TRACKING_RATE_PER_MINUTE,
    )
    try:
        public_parcel = look_up(read_number(number), now=timezone.now())
    except NotFound as error:
        return search_page(request, number=number, problem=error.detail, status=error.status)
    way = way_back(public_parcel)
    if not is_writing:
        return _page(request, public_parcel, way, _form(way))
    form = _form(way, request.POST)
    status, wait = 422, None
    if form.is_valid():
        try:
            return private(_done(request, public_parcel, form))
        except InvalidInput as error:
            add_service_errors(form, error)
        # Show the error instead of raising it: an exception would roll back the count of wrong digits.
        except AllianceError as error:
            form.add_error(None, error.detail)
            status, wait = error.status, error.retry_after
    response = _page(request, public_parcel, way, form, status=status)
    if wait is not None:
        response["Retry-After"] = str(wait)
    return response


def _done(request: HttpRequest, public_parcel: PublicParcel, form: RecipientReturnForm) -> HttpResponse:
    """Do what was asked for. Raises what the services raise."""
    parcel, now, action = public_parcel.parcel, timezone.now(), request.POST.get("action", ASK)
    proof = Proof(form.cleaned_data["digits"], client_address(request))
    if action == LABEL:
        label = label_for_recipient(parcel_id=parcel.id, proof=proof, now=now)
        return _file(LabelFile([label], LabelStyle()), label.number)
    if action == WITHDRAW:
        withdraw_request(parcel_id=parcel.id, proof=proof, now=now)
        messages.success(request, _("The request was withdrawn."))
    else:
        ask_for_return(
            parcel_id=parcel.id,
            proof=proof,
            reason=form.cleaned_data.get("reason", ""),
            note=form.cleaned_data.get("note", ""),
            now=now,
        )
        messages.success(request, _("The shop has your request. This page tells what it decides."))
    # The message is at the top: without a fragment, the redirect would keep the form's.
    return redirect(f"{reverse('parcels:track_return', args=[parcel.number])}#content")


def _file(file: LabelFile, number: str) -> HttpResponse:
    disposition = content_disposition_header(as_attachment=True, filename=file_name([number])) or ""
    headers = {"Content-Disposition": disposition, "Cache-Control": "private, no-store"}
    return HttpResponse(b"".join(file.parts()), content_type=LabelStyle().content_type, headers=headers)


def _form(way: WayBack, data: Any = None) -> RecipientReturnForm:
    return RecipientReturnForm(data, reasons=way.policy.reasons, is_asking=way.is_asking)


def _page(
    request: HttpRequest,
    public_parcel: PublicParcel,
    way: WayBack,
    form: RecipientReturnForm,
    *,
    status: int = 200,
) -> HttpResponse:
    problem = ""
    if way.is_asking:
        parcel = public_parcel.parcel
        delivered_at = parcel.delivery.delivered_at if parcel.delivery else None
        sent = Sent(parcel.status, "", parcel.return_of_id is not None, is_erased=False, has_recipient=True)
        refusal = refusal_of(sent) or why_not_asked(way.policy, delivered_at=delivered_at, now=timezone.now())
        problem = refusal.detail if refusal else ""
    card = open_card(request, public_parcel, way, form, problem=problem)
    return tracked_page(request, public_parcel, send_back=card, status=status)
