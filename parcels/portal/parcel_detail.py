"""The page of one parcel: status, commitments and scans."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from alliance import audit
from alliance.choices import Capability
from alliance.dates import date_text
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.models import City
from alliance.portal.forms import add_service_errors
from alliance.tenancy import Actor, Scope, require, scope
from alliance.web.requests import ActorRequest
from parcels.choices import ParcelStatus
from parcels.manifests.queries import manifest_of_parcel
from parcels.models import Parcel, PickupAddress, Scan
from parcels.pickups.queries import View, pickup_of_parcel
from parcels.portal.links import link_to
from parcels.portal.orders import order_view
from parcels.portal.parcel_credits import credit_of
from parcels.portal.promise_steps import story_of
from parcels.portal.return_links import ways_of
from parcels.portal.revisions import RevisionForm, RevisionView, revision_view
from parcels.portal.timeline_entries import full_entries
from parcels.private import private_of, sees_rule
from parcels.revisions.services import days_for_merchant, revise_parcel, why_no_day
from parcels.scans.timelines import EARLIER, track, zone_text
from parcels.tracking.advice import Reader, next_of, title_of
from parcels.tracking.queries import states_of
from parcels.tracking.steps import progress
from parcels.tracking.verdicts import Verdict, loss_text, verdict_of
from slas.choices import CommitmentKind, ExcuseState, RevisionParty
from slas.listed import first_with_names
from slas.models import Breach, Commitment, Excuse
from slas.promises.prices import yuan
from slas.revisions.services import Promised, promised_delivery


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """One commitment, in the time zone of the city where it is due."""

    kind: CommitmentKind
    verdict: Verdict
    city: City
    zone: str
    breach: Breach | None
    excuse: Excuse | None
    revision: RevisionView | None = None


@require_safe
@login_required
def parcel_detail(request: ActorRequest, number: str) -> HttpResponse:
    """Show a parcel to its merchant or its courier."""
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    parcel = _parcel(actor, number)
    if number != parcel.number:
        return redirect("parcels:parcel_detail", parcel.number)
    return _page(request, actor, parcel)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def parcel_unmask(request: ActorRequest, number: str) -> HttpResponse:
    """Show the page with the unmasked recipient. This is audited."""
    if request.method != "POST":
        return redirect("parcels:parcel_detail", number)
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    require(actor, Capability.UNMASK)
    parcel = _parcel(actor, number)
    audit.record(
        actor=actor,
        verb="parcel.unmasked",
        object_type="parcel",
        object_id=parcel.pk,
        detail={"numbers": [parcel.number]},
    )
    return _page(request, actor, parcel, unmasked=True)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def parcel_revise(request: ActorRequest, number: str) -> HttpResponse:
    """Record an agreed other day for the delivery."""
    if request.method != "POST":
        # A GET of the URL of a refused form, for example after a change of language.
        return redirect("parcels:parcel_detail", number)
    actor = request.actor
    require(actor, Capability.BOOK_PARCELS)
    parcel, now = _parcel(actor, number), timezone.now()
    form = _revision_form(actor, parcel, promised_delivery(parcel_id=parcel.pk), now, request.POST)
    status = 422
    if form.is_valid():
        try:
            revise_parcel(actor=actor, parcel_id=parcel.pk, asked=form.revision_request, now=now)
        except InvalidInput as error:
            add_service_errors(form, error)
        except Conflict as error:
            form.add_error(None, error.detail)
            status = error.status
        else:
            day = date_text(form.revision_request.day)
            text = _("Delivery moved to %(day)s. The courier sees it too.") % {"day": day}
            messages.success(request, text)
            # The message is at the top: without a fragment, the redirect would keep the form's.
            return redirect(f"{reverse('parcels:parcel_detail', args=[parcel.number])}#content")
    return _page(request, actor, parcel, form=form, status=status)


def _parcel(actor: Actor, number: str) -> Parcel:
    """Return the parcel with this number. Raises NotFound for a bad number and for another's parcel."""
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None
    parcel = first_with_names(Parcel.objects.visible_to(actor).filter(pk=parcel_id))
    if parcel is None:
        raise NotFound
    parcel.pickup_address = _pickup_address(parcel)
    return parcel


def _pickup_address(parcel: Parcel) -> PickupAddress | None:
    if parcel.pickup_address_id is None:
        return None
    # A courier's scope does not include addresses, but the courier may see those of its own parcels.
    with scope(Scope.everything()):
        return PickupAddress.objects.filter(pk=parcel.pickup_address_id).first()


def _revision_form(
    actor: Actor, parcel: Parcel, promised: Promised | None, now: datetime, data: Any = None
) -> RevisionForm:
    days = days_for_merchant(actor=actor, parcel=parcel, promised=promised, now=now)
    refusal = ""
    if actor.can(Capability.BOOK_PARCELS) and not actor.is_courier:
        refusal = why_no_day(parcel=parcel, promised=promised, party=RevisionParty.MERCHANT)
    return RevisionForm(data, days=days, zone=parcel.destination.time_zone, refusal=refusal)


def _page(
    request: ActorRequest,
    actor: Actor,
    parcel: Parcel,
    *,
    unmasked: bool = False,
    form: RevisionForm | None = None,
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    scans = list(Scan.objects.visible_to(actor).filter(parcel_id=parcel.pk))
    promised = promised_delivery(parcel_id=parcel.pk)
    promises = _promises(actor, parcel, promised, now)
    state = states_of(actor=actor, parcels=[parcel], now=now)[parcel.pk]
    # Times are in the destination's time zone, as on the public page.
    with timezone.override(ZoneInfo(parcel.destination.time_zone)):
        context = {
            "parcel": parcel,
            "private": private_of(actor, parcel, unmasked=unmasked),
            "promises": promises,
            "state": state,
            "title": title_of(state),
            "next": next_of(state, _reader(parcel, now)),
            "loss": loss_text(promised.commitment if promised else None, parcel.status),
            "arrival": state.arrival,
            "steps": progress(state.shown_status, scans, title=title_of(state)),
            "entries": full_entries(parcel, track(scans), after=request.GET.get(EARLIER, "")),
            "zone": zone_text(parcel.destination.time_zone, now),
            "credit": credit_of(actor, parcel.pk),
            "manifest": manifest_of_parcel(actor, parcel),
            "story": story_of(actor, parcel),
            **_pickup(actor, parcel, pickup_of_parcel(actor, parcel, now)),
            "order": order_view(actor, parcel),
            "revision_form": form or _revision_form(actor, parcel, promised, now),
            **_actions(request, actor, parcel),
        }
        return render(request, "parcels/parcel_detail.html", context, status=status)


def _reader(parcel: Parcel, now: datetime) -> Reader:
    city = parcel.destination
    return Reader(parcel.courier.organisation.name, city.name, city.time_zone, now)


def _promises(actor: Actor, parcel: Parcel, promised: Promised | None, now: datetime) -> list[PromiseRow]:
    commitments = {
        item.kind: item for item in Commitment.objects.visible_to(actor).filter(parcel_id=parcel.pk)
    }
    breaches = {item.kind: item for item in Breach.objects.visible_to(actor).filter(parcel_id=parcel.pk)}
    granted_excuses = Excuse.objects.visible_to(actor).filter(parcel_id=parcel.pk, state=ExcuseState.GRANTED)
    excuses = {item.kind: item for item in granted_excuses}
    rows = []
    for kind, city in (
        (CommitmentKind.PICKUP, parcel.origin),
        (CommitmentKind.DELIVERY, parcel.destination),
    ):
        if (commitment := commitments.get(kind)) is not None:
            rows.append(
                PromiseRow(
                    kind=kind,
                    verdict=verdict_of(commitment, now=now),
                    city=city,
                    zone=zone_text(city.time_zone, commitment.due_at),
                    breach=breaches.get(kind),
                    excuse=excuses.get(kind),
                    revision=_revision(actor, promised, kind),
                )
            )
    return rows


def _revision(actor: Actor, promised: Promised | None, kind: CommitmentKind) -> RevisionView | None:
    if promised is None or kind != CommitmentKind.DELIVERY:
        return None
    return revision_view(promised.revisions, reader=actor)


def _pickup(actor: Actor, parcel: Parcel, view: View | None) -> dict[str, Any]:
    """The parcel's pickup request, or the way to one."""
    may_request = (
        actor.is_merchant
        and actor.can(Capability.BOOK_PARCELS)
        and parcel.status == ParcelStatus.BOOKED
        and (view is None or view.is_closed)
    )
    url = f"{reverse('parcels:pickup_create')}?number={parcel.number}" if may_request else ""
    return {"pickup": view, "pickup_request_url": url}


def _label_url(parcel: Parcel) -> str:
    return reverse("parcels:label_page", args=[parcel.number])


def _actions(request: ActorRequest, actor: Actor, parcel: Parcel) -> dict[str, Any]:
    """The actions and links of the page, by the reader's capabilities."""
    may_cancel = actor.is_merchant and actor.can(Capability.BOOK_PARCELS)
    fee_fen = private_of(actor, parcel).fee_fen
    cancellable = may_cancel and parcel.status == ParcelStatus.BOOKED
    return {
        "list_url": reverse("parcels:parcel_list"),
        "track_url": request.build_absolute_uri(reverse("parcels:track", args=[parcel.number])),
        "cancel_url": link_to("parcels:parcel_cancel", parcel.number) if cancellable else "",
        "label_url": "" if parcel.status == ParcelStatus.CANCELLED else _label_url(parcel),
        **ways_of(actor, parcel),
        "may_unmask": actor.can(Capability.UNMASK),
        "fee": "" if fee_fen is None else yuan(fee_fen),
        "declared": "" if parcel.declared_value_fen is None else yuan(parcel.declared_value_fen),
        "rule": _rule_text(actor, parcel),
    }


def _rule_text(actor: Actor, parcel: Parcel) -> str:
    """Which rule of the merchant's chose the courier: for the merchant alone."""
    if not sees_rule(actor) or parcel.rule_name is None:
        return ""
    return _("Chosen by your rule %(position)d: %(rule)s") % {
        "position": parcel.rule_position or 0,
        "rule": parcel.rule_name,
    }
