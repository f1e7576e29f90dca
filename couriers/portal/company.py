"""Pages of a courier's data after its approval: contact, and proposals of other changes."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.members.services.contacts import contact_of
from alliance.tenancy import Actor
from alliance.web.requests import ActorRequest
from couriers.changes import services as changes
from couriers.changes.queries import city_lines, compared, shown
from couriers.changes.rules import NAMES
from couriers.choices import ChangeState
from couriers.documents.files import ACCEPT, MAX_BYTES
from couriers.models import ChangeRequest, Courier, Document
from couriers.portal.application_forms import ReplacementForm
from couriers.portal.application_pages import applicant, put_errors
from couriers.portal.company_forms import ChangeForm, CompanyContactForm

HISTORY = 20


@require_safe
@login_required
def company_data(request: ActorRequest) -> HttpResponse:
    """Show the courier's data, the proposal that waits, and those decided."""
    actor = applicant(request)
    courier = _courier(actor)
    requests = ChangeRequest.objects.visible_to(actor).order_by("-requested_at")[:HISTORY]
    context = {
        "contact_rows": [
            {"label": NAMES[name], "value": text} for name, text in contact_of(courier.pk).items()
        ],
        "company_rows": shown(changes.reviewed_values(courier)),
        "requests": [{"request": item, "rows": compared(item)} for item in requests],
        "is_waiting": any(item.state == ChangeState.WAITING for item in requests),
    }
    return render(request, "couriers/company_data.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def company_contact(request: ActorRequest) -> HttpResponse:
    """Change the contact at once."""
    actor = applicant(request)
    courier = _courier(actor, lock=request.method == "POST")
    current = contact_of(courier.pk)
    form = CompanyContactForm(request.POST if request.method == "POST" else None, current=current)
    if request.method == "POST" and form.is_valid():
        try:
            changes.change_contact(actor=actor, values=form.cleaned_data)
            messages.success(request, _("The contact was changed."))
            return redirect("couriers:company_data")
        except InvalidInput as error:
            put_errors(form, error)
    context = {"form": form, "heading": _("Contact"), "button": _("Save")}
    return render(request, "couriers/company_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change_propose(request: ActorRequest) -> HttpResponse:
    """Propose other data, which ops review."""
    actor = applicant(request)
    values = changes.reviewed_values(_courier(actor, lock=request.method == "POST"))
    current = {**values}
    if "cities" in values:
        current["cities"] = city_lines(values["cities"])
    form = ChangeForm(request.POST if request.method == "POST" else None, current=current)
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        try:
            changes.propose_change(actor=actor, note=data.pop("note", ""), values=data)
            messages.success(request, _("The change was sent to the alliance. We will write to you."))
            return redirect("couriers:company_data")
        except (InvalidInput, Conflict) as error:
            put_errors(form, error)
    context = {"form": form, "heading": _("Propose a change"), "button": _("Send for review")}
    return render(request, "couriers/company_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def document_replace(request: ActorRequest, document_id: int) -> HttpResponse:
    """Propose a file in place of a document, which ops review."""
    actor = applicant(request)
    _courier(actor)
    document = Document.objects.visible_to(actor).filter(pk=document_id).first()
    if document is None:
        raise NotFound
    sending = request.method == "POST"
    form = ReplacementForm(request.POST if sending else None, request.FILES if sending else None)
    if sending and form.is_valid():
        try:
            changes.propose_document(actor=actor, document_id=document_id, upload=form.cleaned_data["file"])
            messages.success(request, _("The change was sent to the alliance. We will write to you."))
            return redirect("couriers:company_data")
        except (InvalidInput, Conflict) as error:
            put_errors(form, error)
    context = {"form": form, "document": document, "accept": ACCEPT, "max_bytes": MAX_BYTES}
    return render(request, "couriers/document_replace.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def change_withdraw(request: ActorRequest, change_id: int) -> HttpResponse:
    """Withdraw a proposal."""
    changes.withdraw_change(actor=applicant(request), change_id=change_id)
    messages.success(request, _("The proposed change was withdrawn."))
    return redirect("couriers:company_data")


def _courier(actor: Actor, *, lock: bool = False) -> Courier:
    couriers = Courier.objects.visible_to(actor).select_related("organisation")
    if lock:
        couriers = couriers.select_for_update(of=("self",), no_key=True)
    courier: Courier | None = couriers.first()
    if courier is None:
        raise NotFound(_("Your company is not a member yet: change its application instead."))
    return courier
