"""Pages of labels: a preview, the labels of a selection, and where a label's QR code leads."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.errors import AllianceError, Conflict, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from parcels.booking_files.services.results import booked_numbers
from parcels.choices import LabelFormat, LabelSize
from parcels.labels.files import LabelFile
from parcels.labels.layout import Layout
from parcels.labels.pictures import picture
from parcels.labels.queries import asked_for, labels_of, size_of
from parcels.labels.rules import DEFAULT_DPI, DOTS, MOST_LABELS, LabelStyle, file_name
from parcels.labels.services import Printed, choose_size, note_prints, print_labels, require_printing
from parcels.labels.texts import words
from parcels.lists.filters import ParcelFilter
from parcels.lists.pages import page_of
from parcels.models import BookingFile, Parcel

_PROGRESS: Final = "application/x-ndjson"
_PRIVATE: Final = "private, no-store"
# How many pages a line of progress tells of.
_TOLD: Final = 20
_DIGITS: Final = 16


@never_cache
@require_safe
def label_open(request: ActorRequest, number: str) -> HttpResponse:
    """Lead whoever scans a label to the right page: who handles the parcel to it, all others to tracking."""
    actor = request.actor
    try:
        parcel_id = parse_tracking_number(number)
    except InvalidTrackingNumber:
        return redirect("parcels:track", number)
    known = (
        actor.can(Capability.VIEW_PARCELS) and Parcel.objects.visible_to(actor).filter(pk=parcel_id).exists()
    )
    return redirect("parcels:parcel_detail" if known else "parcels:track", tracking_number(parcel_id))


@require_safe
@login_required
def label_page(request: ActorRequest, number: str) -> HttpResponse:
    """Show one parcel's label as it would be printed, and how to print it."""
    [asked] = asked_for(actor=request.actor, numbers=[number])
    if isinstance(asked, NotFound):
        raise asked
    return _page(request, [number])


@require_safe
@login_required
def label_picture(request: ActorRequest, number: str) -> HttpResponse:
    """Draw the preview: masked, and no print."""
    actor = request.actor
    [asked] = asked_for(actor=actor, numbers=[number])
    if isinstance(asked, AllianceError):
        raise asked
    again = {asked.pk} if asked.label_printed_at else set()
    [label] = labels_of(actor=actor, parcels=[asked], now=timezone.now(), reprinted=again)
    drawn = picture(label, Layout(_style(actor, request.GET).size, words()), dpi=DEFAULT_DPI)
    return HttpResponse(drawn, content_type="image/png", headers={"Cache-Control": _PRIVATE})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def label_list(request: ActorRequest) -> HttpResponse:
    """Show the labels of a selection: ticked in the list, all that a filter lists, or of a booking file."""
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    if request.method == "POST":
        return _page(request, _numbers(actor, request))
    file, skip = request.GET.get("file", ""), _count(request.GET.get("skip", ""))
    numbers = _of_file(actor, file, skip)
    # A file may have more parcels than a file of labels holds.
    next_url = f"?file={file}&skip={skip + MOST_LABELS}" if len(numbers) == MOST_LABELS else ""
    return _page(request, numbers, next_url=next_url)


@require_POST
@login_required
def label_print(request: ActorRequest) -> HttpResponseBase:
    """Send the file. To a script, with its progress: a line for some pages each, the last with the file."""
    actor, unmasked = request.actor, bool(request.POST.get("unmask"))
    require_printing(actor)
    numbers, now = _given(request.POST), timezone.now()
    try:
        style = _style(actor, request.POST)
        printed = note_prints(actor=actor, numbers=numbers, at=now, unmasked=unmasked)
        if not any(each.parcel for each in printed):
            raise Conflict(_("None of these numbers gets a label."))
    except (InvalidInput, Conflict) as error:
        return _page(request, numbers, problem=_said(error), status=error.status)
    labels = print_labels(actor=actor, printed=printed, now=now, unmasked=unmasked)
    file, made = LabelFile(labels, style), [each.number for each in printed if each.parcel]
    if _PROGRESS in request.headers.get("Accept", ""):
        lines = _progress(file, style, made, printed)
        return StreamingHttpResponse(lines, content_type=_PROGRESS, headers={"Cache-Control": _PRIVATE})
    name = file_name(made, style.format)
    is_download = style.format == LabelFormat.ZPL
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=is_download, filename=name) or "",
        "Cache-Control": _PRIVATE,
    }
    return StreamingHttpResponse(filter(None, file.parts()), content_type=style.content_type, headers=headers)


@require_POST
@login_required
def label_size(request: ActorRequest) -> HttpResponse:
    """Set the size that the organisation prints on."""
    choose_size(actor=request.actor, size=request.POST.get("size", ""))
    messages.success(request, _("From now on, your labels are of this size."))
    return redirect("parcels:label_list")


def _page(
    request: ActorRequest,
    numbers: Sequence[str],
    *,
    problem: str = "",
    next_url: str = "",
    status: int = 200,
) -> HttpResponse:
    actor = request.actor
    made: list[str] = []
    refused: list[tuple[str, str]] = []
    if numbers and not problem:
        try:
            for number, asked in zip(numbers, asked_for(actor=actor, numbers=numbers), strict=True):
                if isinstance(asked, Parcel):
                    made.append(asked.number)
                else:
                    refused.append((number, asked.detail))
        except InvalidInput as error:
            problem, status = _said(error), error.status
    size = _size(actor, request.POST or request.GET)
    may_print = actor.can(Capability.BOOK_PARCELS) or actor.can(Capability.SEND_SCANS)
    context = {
        "numbers": "\n".join(made or numbers),
        "made": made,
        "refused": refused,
        "problem": problem,
        "next_url": next_url,
        "most": MOST_LABELS,
        "rows": min(max(len(made), 4), 12),
        "size": size,
        "own_size": size_of(actor),
        "sizes": LabelSize.choices,
        "formats": LabelFormat.choices,
        "dots": [*DOTS],
        "may_print": may_print,
        "may_unmask": may_print and actor.can(Capability.UNMASK),
        "may_choose": actor.can(Capability.MANAGE_KEYS) and actor.organisation_id is not None,
        "preview_url": f"{reverse('parcels:label_picture', args=[made[0]])}?size={size}" if made else "",
    }
    return render(request, "parcels/label_list.html", context, status=status)


def _numbers(actor: Actor, request: ActorRequest) -> list[str]:
    """The numbers that were ticked or typed; or the first of all that the list's filter shows."""
    if not request.POST.get("all"):
        return _given(request.POST)
    filters = ParcelFilter(
        QueryDict(request.POST.get("filters", "")),
        queryset=Parcel.objects.visible_to(actor),
        all_organisations=actor.is_ops,
    )
    if not filters.form.is_valid():
        return []
    page = page_of(filters, size=MOST_LABELS)
    return [parcel.number for parcel in page.parcels]


def _given(form: QueryDict) -> list[str]:
    return [
        word
        for text in form.getlist("numbers")
        for word in text.replace(",", "\n").splitlines()
        if word.strip()
    ]


def _of_file(actor: Actor, file_id: str, skip: int) -> list[str]:
    """The parcels that a booking file booked, as many as go into one file of labels."""
    if not file_id:
        return []
    file = BookingFile.objects.visible_to(actor).filter(pk=_count(file_id)).first()
    if file is None:
        raise NotFound
    return booked_numbers(file, skip=skip, most=MOST_LABELS)


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else 0


def _size(actor: Actor, query: QueryDict) -> LabelSize:
    size = query.get("size", "")
    return LabelSize(size) if size in LabelSize.values else size_of(actor)


def _style(actor: Actor, query: QueryDict) -> LabelStyle:
    form, dpi = query.get("format", LabelFormat.PDF), query.get("dpi", str(DEFAULT_DPI))
    if form not in LabelFormat.values or dpi not in map(str, DOTS):
        raise InvalidInput(_("Choose a format and a resolution from the lists."))
    return LabelStyle(LabelFormat(form), _size(actor, query), int(dpi))


def _said(error: AllianceError) -> str:
    return " ".join(each.message for each in error.errors) or error.detail


def _progress(
    file: LabelFile, style: LabelStyle, made: Sequence[str], printed: Sequence[Printed]
) -> Iterator[bytes]:
    parts = []
    for count, part in enumerate(file.parts(), 1):
        parts.append(part)
        if count % _TOLD == 0 and count < len(made):
            yield _line(made=count)
    refused = [[each.number, each.refusal.detail] for each in printed if each.refusal is not None]
    content = base64.b64encode(b"".join(parts)).decode()
    name = file_name(made, style.format)
    yield _line(made=len(made), refused=refused, name=name, type=style.content_type, content=content)


def _line(**values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"
