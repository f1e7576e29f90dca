"""Cancel the parcels that were ticked in the list: shown first, then cancelled."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from alliance.choices import Capability
from alliance.errors import AllianceError, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.bookings.rules import BATCH_LIMIT
from parcels.bookings.services.cancelling import Cancelled, cancel_parcels, refusal_of
from parcels.models import Parcel
from slas.listed import with_names

_LIST: Final = "parcels:parcel_list"


@require_POST
@login_required
def cancel_list(request: ActorRequest) -> HttpResponse:
    """Show which of the ticked parcels can be cancelled; confirmed, cancel them and say what was not."""
    actor = request.actor
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    ids = _ids(request.POST.getlist("numbers"))
    if not 1 <= len(ids) <= BATCH_LIMIT:
        message = _("Select 1 to %d parcels of the list.") % BATCH_LIMIT
        messages.error(request, message)
        return redirect(_LIST)
    if not request.POST.get("confirmed"):
        return render(request, "parcels/cancel_list.html", _preview(actor, ids))
    results = cancel_parcels(actor=actor, parcel_ids=ids, at=timezone.now())
    done = sum(isinstance(result, Cancelled) for result in results)
    if done:
        text = ngettext(
            "%d parcel was cancelled. Capacity released.",
            "%d parcels were cancelled. Capacity released.",
            done,
        )
        messages.success(request, text % done)
    refused = {pk: each for pk, each in zip(ids, results, strict=True) if isinstance(each, AllianceError)}
    if not refused:
        return redirect(_LIST)
    return render(request, "parcels/cancel_list.html", {"refused": _refused(actor, refused)})


def _ids(numbers: Sequence[str]) -> list[int]:
    """Return the parcels' ids, each once; what is no tracking number was not ticked in our list."""
    ids: dict[int, None] = {}
    for number in numbers:
        try:
            ids[parse_tracking_number(number)] = None
        except InvalidTrackingNumber as error:
            raise NotFound(str(error)) from None
    return list(ids)


def _preview(actor: Actor, ids: Sequence[int]) -> dict[str, Any]:
    parcels = _parcels(actor, ids)
    refusals = {parcel.pk: refusal_of(parcel.status, parcel.status_at) for parcel in parcels}
    return {
        "parcels": [parcel for parcel in parcels if refusals[parcel.pk] is None],
        "refused": [(parcel, refusal.detail) for parcel in parcels if (refusal := refusals[parcel.pk])],
    }


def _refused(actor: Actor, refused: dict[int, AllianceError]) -> list[tuple[Parcel, str]]:
    return [(parcel, refused[parcel.pk].detail) for parcel in _parcels(actor, list(refused))]


def _parcels(actor: Actor, ids: Sequence[int]) -> list[Parcel]:
    return list(with_names(Parcel.objects.visible_to(actor).filter(pk__in=ids)))
