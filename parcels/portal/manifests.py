"""Pages of manifests: both sides' lists, making one, its parcels, its pickup, its files."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.errors import AllianceError, Conflict, InvalidInput, NotFound
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.bookings.rules import BATCH_LIMIT
from parcels.choices import ManifestState
from parcels.manifests.files import as_csv, as_pdf, place_text
from parcels.manifests.queries import (
    Counts,
    counts_of,
    lines_of,
    manifest_for,
    manifests_of,
    missing_lines,
    removed_lines,
    with_addresses,
)
from parcels.manifests.rules import (
    MOST_PARCELS,
    REMARK_LENGTH,
    InvalidManifestNumber,
    manifest_number,
    parse_manifest_number,
)
from parcels.manifests.services.making import (
    Made,
    Wanted,
    cancel_manifest,
    make_manifest_of_day,
    make_manifest_of_numbers,
    pickups_of,
    remark_manifest,
)
from parcels.manifests.services.picking_up import Told, pick_up
from parcels.manifests.services.removing import remove_parcels
from parcels.models import Manifest
from parcels.portal.manifest_forms import ManifestFilterForm, ManifestForm, PickUpForm, numbers_in

A_PAGE: Final = 25
PARCELS_A_PAGE: Final = 100
LIST: Final = newest_first("manifests", gettext_lazy("Made"))
_PRIVATE: Final = "private, no-store"


@dataclass(frozen=True, slots=True)
class Row:
    """A manifest in a list, with its place and its counts."""

    manifest: Manifest
    counts: Counts

    @property
    def place(self) -> str:
        return place_text(self.manifest)


@require_safe
@login_required
def manifest_list(request: ActorRequest) -> HttpResponse:
    """List one's manifests, the newest first; a courier's those to pick up. A number leads to its page."""
    actor = request.actor
    rows = manifests_of(actor)
    form = ManifestFilterForm(_query(request, actor))
    if typed := request.GET.get("number", "").strip():
        try:
            number = manifest_number(parse_manifest_number(typed))
            manifest_for(actor, number)
        except (InvalidManifestNumber, NotFound) as error:
            form.add_error("number", str(error))
        else:
            return redirect("parcels:manifest_detail", number)
    asked = LIST.asked(request, form.params)
    filters = form.filters
    if state := filters.get("state"):
        # What a worker is busy with is one state to people.
        busy = [ManifestState.QUEUED, ManifestState.RUNNING, ManifestState.FAILED]
        rows = rows.filter(state__in=busy if state == ManifestState.RUNNING else [state])
    if day := filters.get("day"):
        rows = rows.filter(day=day)
    page = LIST.page(form.among(rows), asked, size=A_PAGE)
    manifests = with_addresses(page.rows)
    counts = counts_of(manifests)
    context = {
        "form": form,
        "rows": [Row(each, counts[each.pk]) for each in manifests],
        "may_make": actor.is_merchant and actor.can(Capability.BOOK_PARCELS),
        "is_filtered": bool(filters),
        "today": timezone.localdate(),
        **page.context,
    }
    status = page.status if form.is_valid() else 422
    return render(request, "parcels/manifest_list.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def manifest_create(request: ActorRequest) -> HttpResponse:
    """Make a manifest of a courier, an address and a day."""
    actor = _merchant(request)
    today = timezone.localdate()
    form = ManifestForm(request.POST or None, actor=actor, initial={"day": today})
    if request.method == "POST" and form.is_valid():
        try:
            made = make_manifest_of_day(actor=actor, pickup=form.pickup(actor), at=timezone.now())
        except Conflict as error:
            form.add_error(None, error.detail)
        else:
            return _told(request, made)
    status = 422 if form.errors else 200
    return render(
        request, "parcels/manifest_create.html", {"form": form, "most": MOST_PARCELS}, status=status
    )


@require_POST
@login_required
def manifest_selected(request: ActorRequest) -> HttpResponse:
    """Make manifests of parcels ticked in the list: one for each courier, address and day."""
    actor = _merchant(request)
    numbers = request.POST.getlist("numbers")
    if not 1 <= len(numbers) <= BATCH_LIMIT:
        messages.error(request, _("Select 1 to %d parcels of the list.") % BATCH_LIMIT)
        return redirect("parcels:parcel_list")
    manifests: list[Manifest] = []
    refused: list[tuple[str, str]] = []
    for group in pickups_of(actor=actor, numbers=numbers, at=timezone.now()):
        try:
            made = make_manifest_of_numbers(
                actor=actor, numbers=group, wanted=Wanted(), at=timezone.now(), pointer=""
            )
        except Conflict as error:
            named = [(group[int(each.field)], each.message) for each in error.errors]
            refused += [(number, message.removeprefix(f"{number}: ")) for number, message in named]
        else:
            manifests.append(made.manifest)
            refused += [
                (number, each.detail) for number, each in zip(group, made.results, strict=True) if each
            ]
    if len(manifests) == 1 and not refused:
        return _told(request, Made(manifests[0]))
    rows = with_addresses([manifest_for(actor, each.number) for each in manifests])
    context = {"rows": [(each, place_text(each)) for each in rows], "refused": refused}
    return render(request, "parcels/manifest_selected.html", context)


@require_safe
@login_required
def manifest_detail(request: ActorRequest, number: str) -> HttpResponse:
    """Show a manifest to both sides; the courier picks it up here."""
    actor = request.actor
    manifest = manifest_for(actor, number)
    if number != manifest.number:
        return redirect("parcels:manifest_detail", manifest.number)
    return _page(request, manifest)


@require_safe
@login_required
def manifest_pdf(request: ActorRequest, number: str) -> HttpResponse:
    """Send the list to print, with its barcode."""
    manifest = manifest_for(request.actor, number)
    return _file(as_pdf(request.actor, manifest), f"{manifest.number}.pdf", "application/pdf")


@require_safe
@login_required
def manifest_csv(request: ActorRequest, number: str) -> HttpResponse:
    """Send its parcels, and what has become of each."""
    require(request.actor, Capability.EXPORT)
    manifest = manifest_for(request.actor, number)
    content = as_csv(request.actor, manifest).encode()
    return _file(content, f"{manifest.number}.csv", "text/csv; charset=utf-8")


@require_POST
@login_required
def manifest_pick_up(request: ActorRequest, number: str) -> HttpResponse:
    """Record the pickup of the whole list, and what was missing or handed over beside it."""
    actor = request.actor
    form = PickUpForm(request.POST)
    told = Told(missing=numbers_in(request.POST, "missing"), extra=numbers_in(request.POST, "extra"))
    if not form.is_valid():
        return _page(request, manifest_for(actor, number), form=form, status=422)
    try:
        result = pick_up(actor=actor, number=number, told=told, now=timezone.now())
    except (InvalidInput, Conflict) as error:
        if isinstance(error, InvalidInput):
            add_service_errors(form, error)
        else:
            form.add_error(None, error.detail)
        return _page(request, manifest_for(actor, number), form=form, status=error.status)
    manifest = result.manifest
    refused = [
        *_refused(told.missing, result.missing),
        *_refused(told.extra, result.extra),
    ]
    if result.is_repeat and not refused:
        messages.info(request, _("This list was picked up before: nothing was changed."))
    elif not result.is_repeat:
        text = ngettext(
            "%(count)d parcel was picked up.", "%(count)d parcels were picked up.", manifest.picked_up
        )
        messages.success(request, text % {"count": manifest.picked_up})
    for each, detail in refused[:20]:
        messages.warning(request, f"{each}: {detail}")
    return redirect("parcels:manifest_detail", manifest.number)


@require_POST
@login_required
def manifest_remove(request: ActorRequest, number: str) -> HttpResponse:
    """Take ticked parcels off an open manifest."""
    actor = _merchant(request)
    numbers = request.POST.getlist("numbers")
    manifest_for(actor, number)
    if not 1 <= len(numbers) <= BATCH_LIMIT:
        messages.error(request, _("Tick the parcels that you want to take off the list."))
        return redirect("parcels:manifest_detail", number)
    try:
        removed = remove_parcels(actor=actor, number=number, numbers=numbers, at=timezone.now(), pointer="")
    except Conflict as error:
        messages.error(request, error.detail)
        for item in error.errors[:20]:
            messages.warning(request, item.message)
        return redirect("parcels:manifest_detail", number)
    refused = _refused(numbers, removed.results)
    count = len(numbers) - len(refused)
    text = ngettext(
        "%(count)d parcel was taken off. It can go on another list.",
        "%(count)d parcels were taken off. They can go on another list.",
        count,
    )
    messages.success(request, text % {"count": count})
    for each, detail in refused[:20]:
        messages.warning(request, f"{each}: {detail}")
    return redirect("parcels:manifest_detail", number)


@require_POST
@login_required
def manifest_cancel(request: ActorRequest, number: str) -> HttpResponse:
    """Take an open manifest back."""
    try:
        manifest = cancel_manifest(actor=request.actor, number=number, at=timezone.now())
    except Conflict as error:
        messages.error(request, error.detail)
        return redirect("parcels:manifest_detail", number)
    messages.success(request, _("The manifest was cancelled. Its parcels stay booked."))
    return redirect("parcels:manifest_detail", manifest.number)


@require_POST
@login_required
def manifest_remark(request: ActorRequest, number: str) -> HttpResponse:
    """Write the remark of one's own side."""
    try:
        manifest = remark_manifest(actor=request.actor, number=number, text=request.POST.get("remark", ""))
    except InvalidInput as error:
        messages.error(request, " ".join(each.message for each in error.errors))
        return redirect("parcels:manifest_detail", number)
    messages.success(request, _("The remark was saved. The other side sees it, too."))
    return redirect("parcels:manifest_detail", manifest.number)


def _page(
    request: ActorRequest, manifest: Manifest, *, form: PickUpForm | None = None, status: int = 200
) -> HttpResponse:
    actor = request.actor
    after = request.GET.get("after", "")
    lines = lines_of(actor, manifest, after=int(after) if _is_id(after) else 0, most=PARCELS_A_PAGE + 1)
    has_more = len(lines) > PARCELS_A_PAGE
    lines = lines[:PARCELS_A_PAGE]
    own = actor.organisation_id in {manifest.merchant_id, manifest.courier_id}
    may_pick_up = actor.is_courier and actor.can(Capability.SEND_SCANS)
    may_book = actor.is_merchant and actor.can(Capability.BOOK_PARCELS)
    context = {
        "manifest": manifest,
        "place": place_text(manifest),
        "counts": counts_of([manifest])[manifest.pk],
        "lines": lines,
        "missing": missing_lines(actor, manifest) if manifest.missing else [],
        "removed": removed_lines(actor, manifest) if manifest.removed else [],
        "next_url": f"?after={lines[-1].parcel.pk}#parcels" if has_more else "",
        "is_later": bool(after),
        "is_busy": manifest.state in {ManifestState.QUEUED, ManifestState.RUNNING},
        "may_pick_up": may_pick_up and manifest.state in {ManifestState.OPEN, ManifestState.FAILED},
        "may_cancel": may_book and manifest.is_open,
        "may_remove": may_book and manifest.is_open and any(each.outcome == "to_pick_up" for each in lines),
        "may_remark": own and (may_pick_up or may_book),
        "own_remark": manifest.courier_remark if actor.is_courier else manifest.merchant_remark,
        "remark_length": REMARK_LENGTH,
        "may_export": actor.can(Capability.EXPORT),
        "form": form or PickUpForm(),
    }
    return render(request, "parcels/manifest_detail.html", context, status=status)


def _query(request: ActorRequest, actor: Actor) -> Any:
    """A courier opens the list with what waits for it."""
    if request.GET or not actor.is_courier:
        return request.GET
    query = request.GET.copy()
    query["state"] = ManifestState.OPEN
    return query


def _told(request: ActorRequest, made: Made) -> HttpResponse:
    text = ngettext(
        "A manifest of %(count)d parcel was made.",
        "A manifest of %(count)d parcels was made.",
        made.manifest.listed,
    )
    messages.success(request, text % {"count": made.manifest.listed})
    if made.has_more:
        more = _("More than %(most)d parcels wait: make another list of the others.")
        messages.warning(request, more % {"most": MOST_PARCELS})
    return redirect("parcels:manifest_detail", made.manifest.number)


def _refused(numbers: Any, results: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, AllianceError | None]] = list(zip(numbers, results, strict=True))
    return [(number, each.detail) for number, each in found if each is not None]


def _merchant(request: ActorRequest) -> Actor:
    require(request.actor, Capability.BOOK_PARCELS)
    if not request.actor.is_merchant:
        raise NotFound
    return request.actor


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _file(content: bytes, name: str, kind: str) -> HttpResponse:
    headers = {
        "Content-Disposition": content_disposition_header(
            as_attachment=kind.startswith("text"), filename=name
        )
        or "",
        "Cache-Control": _PRIVATE,
    }
    return HttpResponse(content, content_type=kind, headers=headers)
