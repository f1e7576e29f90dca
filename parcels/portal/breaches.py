"""The page of one breach: promise, scans, lateness, attribution, excuses and credits."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from alliance.choices import Capability
from alliance.durations import duration_text
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.portal.forms import add_service_errors
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from couriers.documents.files import ACCEPT, MAX_BYTES
from parcels.models import Parcel, Scan
from parcels.pickups.queries import pickup_of_parcel
from parcels.portal.timeline_entries import full_entries
from parcels.scans.timelines import EARLIER, remarks_of, track, zone_text
from parcels.tracking.verdicts import loss_text
from slas.choices import CommitmentKind, ExcuseReason, ExcuseSource, ExcuseState, Leg
from slas.excuses.breach_report import BreachReport, breach_report
from slas.excuses.services.claims import Claim, claim_excuse, may_claim, require_claimant
from slas.excuses.services.permissions import MOST_TEXT
from slas.listed import first_with_names
from slas.models import Excuse
from slas.promises.prices import yuan


class ClaimForm(forms.Form):
    """Why the breach was not the courier's fault."""

    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        choices=[("", gettext_lazy("Choose a reason")), *ExcuseReason.choices],
        error_messages={
            "required": gettext_lazy("Choose a reason."),
            "invalid_choice": gettext_lazy("Choose a reason."),
        },
    )
    note = forms.CharField(
        label=gettext_lazy("What happened"),
        required=False,
        max_length=MOST_TEXT,
        help_text=gettext_lazy("The merchant and the alliance can read it."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    file = forms.FileField(
        label=gettext_lazy("Evidence (optional)"),
        required=False,
        # The inspection of the file reports an empty file, like every other error.
        allow_empty_file=True,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def breach_detail(request: ActorRequest, number: str, kind: str) -> HttpResponse:
    """Show a breach to its courier, its merchant or ops; take the courier's claim of an excuse."""
    actor = request.actor
    claiming = request.method == "POST"
    if claiming:
        require_claimant(actor)
    parcel, report, scans = _breach(actor, number, kind)
    if number != parcel.number and not claiming:
        return redirect("parcels:breach_detail", parcel.number, kind)
    form = ClaimForm(request.POST if claiming else None, request.FILES if claiming else None)
    if claiming and form.is_valid() and _claim(request, actor, report, form):
        return redirect("parcels:breach_detail", parcel.number, kind)
    with timezone.override(ZoneInfo(report.city.time_zone)):
        entries = full_entries(parcel, track(scans), after=request.GET.get(EARLIER, ""))
        context = {**_context(actor, parcel, report, form), "entries": entries}
        return render(request, "parcels/breach_detail.html", context, status=422 if form.errors else 200)


def _breach(actor: Actor, number: str, kind: str) -> tuple[Parcel, BreachReport, list[Scan]]:
    """Return parcel, breach and scans. Raises NotFound for unknown breaches and those of others."""
    require(actor, Capability.VIEW_RATES)
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None
    parcel = first_with_names(Parcel.objects.visible_to(actor).filter(pk=parcel_id))
    if parcel is None or kind not in CommitmentKind.values:
        raise NotFound
    scans = list(Scan.objects.visible_to(actor).filter(parcel_id=parcel_id))
    report = breach_report(
        actor=actor,
        parcel_id=parcel_id,
        kind=kind,
        journey=parcel,
        remarks=remarks_of(scans),
        now=timezone.now(),
    )
    return parcel, report, scans


def _claim(request: ActorRequest, actor: Actor, report: BreachReport, form: ClaimForm) -> bool:
    upload: UploadedFile[Any] | None = form.cleaned_data["file"] or None
    commitment = report.commitment
    claim = Claim(
        parcel_id=commitment.parcel_id,
        kind=commitment.kind,
        reason=form.cleaned_data["reason"],
        note=form.cleaned_data["note"],
        upload=upload,
    )
    try:
        claim_excuse(actor=actor, claim=claim)
    except InvalidInput as error:
        add_service_errors(form, error)
        return False
    except Conflict as error:
        messages.warning(request, error.detail)
        return True
    messages.success(request, _("The exemption was requested. The alliance's customer service decides."))
    return True


def _context(actor: Actor, parcel: Parcel, report: BreachReport, form: ClaimForm) -> dict[str, Any]:
    attribution = report.attribution
    claims = may_claim(actor)
    return {
        "parcel": parcel,
        "report": report,
        "commitment": report.commitment,
        "kind_label": CommitmentKind(report.commitment.kind).label,
        "loss": loss_text(report.commitment, parcel.status),
        "late_by": duration_text(report.late_by) if report.late_by else "",
        "legs": [
            {
                "label": Leg(leg.leg).label,
                "time": duration_text(leg.time),
                "open": leg.open,
                "counts": leg.leg == attribution.leg,
            }
            for leg in attribution.legs
        ],
        "excuses": [_excuse_view(excuse, claims) for excuse in report.excuses],
        "credits": [{"entry": entry, "amount": yuan(entry.amount_fen)} for entry in report.credits],
        "credited": yuan(report.credited_fen),
        "zone": zone_text(report.city.time_zone, report.commitment.due_at),
        "list_url": reverse("slas:breach_list"),
        "form": form,
        "may_claim": claims and report.obstacle is None,
        "obstacle": report.obstacle.detail if claims and report.obstacle and report.stands else "",
        "accept": ACCEPT,
        "max_bytes": MAX_BYTES,
        **_times(report),
        **_window(actor, parcel, report),
    }


def _times(report: BreachReport) -> dict[str, datetime | None]:
    """The times the page compares: the first promise, and the time by which on-time is judged."""
    commitment, promised_at = report.commitment, report.promised_at
    return {
        "promised_at": promised_at,
        "judged_by": commitment.due_at if commitment.due_at != promised_at else None,
    }


def _window(actor: Actor, parcel: Parcel, report: BreachReport) -> dict[str, Any]:
    """Of a pickup: the window that was agreed on, if its end is the hour that it is judged by."""
    due_at, promised_by = report.commitment.due_at, parcel.pickup_by
    if report.commitment.kind != CommitmentKind.PICKUP or promised_by is None or due_at >= promised_by:
        return {}
    pickup = pickup_of_parcel(actor, parcel, timezone.now())
    return {"promised_at": promised_by, "judged_by": due_at, "is_window": True, "pickup": pickup}


def _excuse_view(excuse: Excuse, claims: bool) -> dict[str, Any]:
    own = excuse.state == ExcuseState.CLAIMED and excuse.source == ExcuseSource.COURIER
    return {"excuse": excuse, "may_withdraw": own and claims}
