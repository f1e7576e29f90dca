"""Freight: what merchants owe couriers, month by month, for both sides."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from alliance.choices import Capability
from alliance.cursor_seals import Seal
from alliance.errors import AllianceError, Conflict, InvalidInput, NotFound
from alliance.models import Organisation
from alliance.portal.forms import add_service_errors
from alliance.tenancy import require
from alliance.web.answers import begun
from alliance.web.requests import ActorRequest
from alliance.workbooks.writing import CONTENT_TYPE
from parcels.freight.files import as_csv, as_pdf, as_workbook, file_headers
from parcels.freight.models import FreightStatement, Surcharge
from parcels.freight.queries import (
    PAGE,
    FreightOfMonth,
    FreightPart,
    counted_until,
    month_for,
    months_of,
    parts_of,
    surcharge_for,
    surcharges_of,
)
from parcels.freight.rules import total_fen
from parcels.freight.services.settling import Payment, mark_settled, may_settle, undo_settled
from parcels.freight.services.surcharges import SurchargeTerms, add_surcharge, withdraw_surcharge
from parcels.portal.freight_forms import PaymentForm, SurchargeForm, UndoForm
from parcels.portal.freight_lines import lines_context
from slas.credits.accounts import Account
from slas.credits.months import ZONE, spell
from slas.credits.statements import account_of
from slas.promises.prices import yuan

# Surcharges that a page shows by themselves; they are among the lines, too.
MOST_SURCHARGES: Final = 20


@require_safe
@login_required
def freight_list(request: ActorRequest) -> HttpResponse:
    """List the months with freight, including the current one."""
    require(request.actor, Capability.VIEW_FINANCE)
    if request.actor.is_ops and "organisation" not in request.GET:
        return redirect("admin:parcels_freightstatement_changelist")
    account = _account(request)
    months = months_of(account, now=timezone.now())
    context = {
        "account": account,
        "months": months,
        "current": months[0],
        "counted": counted_until(),
        "query": _query(request, account),
    }
    return render(request, "parcels/freight_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def freight_detail(request: ActorRequest, month: str) -> HttpResponse:
    """Show a month by counterparty, with its surcharges; a courier's finance enters one here."""
    account, shown = _month(request, month)
    may_add = account.is_courier and shown.closed_at is None
    if request.method == "POST" and not may_add:
        raise Conflict(_("Surcharges are entered by the courier, while the month is open."), code="closed")
    form = SurchargeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _add(request, account, shown, form):
        messages.success(request, _("Surcharge entered. The merchant sees it, too."))
        return redirect(f"{reverse('parcels:freight_detail', args=[month])}{_query(request, account)}")
    return _detail(request, account, shown, form if may_add else None)


def _detail(
    request: ActorRequest, account: Account, shown: FreightOfMonth, form: SurchargeForm | None
) -> HttpResponse:
    params, query = _params(request, account), _query(request, account)
    parts, pages = _parts(request, account, shown, params)
    lines = lines_context(request, account, shown, params)
    surcharges = surcharges_of(account, shown.month, limit=MOST_SURCHARGES + 1)
    context = {
        **pages,
        **lines,
        "account": account,
        "month": shown,
        "parts": parts,
        "surcharges": surcharges[:MOST_SURCHARGES],
        "more_surcharges": len(surcharges) > MOST_SURCHARGES,
        "form": form,
        "counted": counted_until(),
        "query": query,
        "list_url": f"{reverse('parcels:freight_list')}{query}",
    }
    is_refused = bool(form and form.errors) or pages["is_past_parts"] or lines["is_refused"]
    return render(request, "parcels/freight_detail.html", context, status=422 if is_refused else 200)


def _parts(
    request: ActorRequest, account: Account, shown: FreightOfMonth, params: dict[str, str]
) -> tuple[list[FreightPart], dict[str, Any]]:
    """A page of counterparties, and the links around it."""
    seal = Seal.of(
        request.actor, f"freight parts {shown.text}", {name: [each] for name, each in params.items()}
    )
    sealed = request.GET.get("after", "")
    place = (seal.open(sealed) or "") if sealed else "0"
    is_refused = not place.isdecimal()
    parts = [] if is_refused else parts_of(account, shown, after=int(place), limit=PAGE + 1)
    next_url = ""
    if len(parts) > PAGE and (last := parts[PAGE - 1].organisation) is not None:
        next_url = f"?{urlencode({**params, 'after': seal.close(str(last.pk))})}#counterparties"
    first_url = f"{request.path}{_query(request, account)}" if sealed else ""
    return parts[:PAGE], {"next_url": next_url, "first_url": first_url, "is_past_parts": is_refused}


@require_safe
@login_required
def freight_csv(request: ActorRequest, month: str) -> StreamingHttpResponse:
    """Send every line of a month as CSV."""
    account, shown = _month(request, month)
    return StreamingHttpResponse(
        begun(as_csv(request.actor, account, shown)),
        content_type="text/csv; charset=utf-8",
        headers=file_headers(account, shown, "csv"),
    )


@require_safe
@login_required
def freight_xlsx(request: ActorRequest, month: str) -> FileResponse:
    """Send every line of a month as a workbook. Raises Conflict if a sheet has no room for them."""
    account, shown = _month(request, month)
    content = as_workbook(request.actor, account, shown)
    return FileResponse(content, content_type=CONTENT_TYPE, headers=file_headers(account, shown, "xlsx"))


@require_safe
@login_required
def freight_pdf(request: ActorRequest, month: str) -> HttpResponse:
    """Send the sums of a month as PDF."""
    account, shown = _month(request, month)
    content = as_pdf(account, shown)
    return HttpResponse(content, content_type="application/pdf", headers=file_headers(account, shown, "pdf"))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def freight_settle(request: ActorRequest, statement_id: int) -> HttpResponse:
    """Mark a final month of one merchant and courier as settled, or take that back."""
    actor = request.actor
    require(actor, Capability.VIEW_FINANCE)
    statement: FreightStatement | None = (
        FreightStatement.objects.visible_to(actor).filter(pk=statement_id).first()
    )
    if statement is None:
        raise NotFound
    if request.method == "POST" and not may_settle(actor, statement):
        raise Conflict(_("A month is marked as settled by who received the money."), code="not_payee")
    is_settled = statement.settled_at is not None
    kind: Any = UndoForm if is_settled else PaymentForm
    today = timezone.now().astimezone(ZONE).date()
    form = kind(request.POST or None, initial={"settled_on": today})
    if request.method == "POST" and form.is_valid() and _settle(request, statement, form, is_settled):
        return redirect(request.path)
    names = Organisation.objects.in_bulk([statement.merchant_id, statement.courier_id])
    # Ops have no month of their own: they go back to the courier's.
    whose = f"?{urlencode({'organisation': names[statement.courier_id].public_id})}" if actor.is_ops else ""
    context = {
        "statement": statement,
        "merchant": names[statement.merchant_id],
        "courier": names[statement.courier_id],
        "month": spell(statement.month),
        "total": yuan(total_fen(statement)),
        "form": form if may_settle(actor, statement) else None,
        "month_url": f"{reverse('parcels:freight_detail', args=[spell(statement.month)])}{whose}",
    }
    return render(request, "parcels/freight_settle.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def freight_surcharge(request: ActorRequest, surcharge_id: int) -> HttpResponse:
    """Show a surcharge; a courier's finance takes it back here."""
    actor = request.actor
    surcharge = surcharge_for(actor, surcharge_id)
    may_withdraw = actor.is_ops or actor.organisation_id == surcharge.courier_id
    is_open = surcharge.withdraws_id is None and surcharge.withdrawn_by_id is None
    form = UndoForm(request.POST or None) if may_withdraw and is_open else None
    if request.method == "POST":
        require(actor, Capability.SETTLE)
        if form is None:
            detail = _("Surcharges are withdrawn by the courier, once each.")
            raise Conflict(detail, code="not_withdrawable")
        if form.is_valid() and _withdraw(request, surcharge, form):
            return redirect(request.path)
    # Ops have no month of their own: they go back to the courier's.
    whose = (
        f"?{urlencode({'organisation': surcharge.courier.organisation.public_id})}" if actor.is_ops else ""
    )
    context = {
        "surcharge": surcharge,
        "month": spell(surcharge.month),
        "month_url": f"{reverse('parcels:freight_detail', args=[spell(surcharge.month)])}{whose}",
        "form": form,
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "parcels/freight_surcharge.html", context, status=status)


def _withdraw(request: ActorRequest, surcharge: Surcharge, form: UndoForm) -> bool:
    try:
        withdraw_surcharge(
            actor=request.actor,
            surcharge_id=surcharge.pk,
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
    except InvalidInput as error:
        add_service_errors(form, error)
        return False
    messages.success(request, _("Surcharge withdrawn. The merchant sees that, too."))
    return True


def _settle(request: ActorRequest, statement: FreightStatement, form: Any, is_settled: bool) -> bool:
    data = form.cleaned_data
    try:
        if is_settled:
            undo_settled(actor=request.actor, statement_id=statement.pk, reason=data["reason"])
            messages.success(request, _("The month is no longer marked as settled."))
        else:
            payment = Payment(data["settled_on"], data["reference"], data["note"])
            mark_settled(actor=request.actor, statement_id=statement.pk, payment=payment, now=timezone.now())
            messages.success(request, _("The month is marked as settled."))
    except InvalidInput as error:
        add_service_errors(form, error)
        return False
    return True


def _add(request: ActorRequest, account: Account, shown: FreightOfMonth, form: SurchargeForm) -> bool:
    data = form.cleaned_data
    terms = SurchargeTerms(
        shown.month, data["merchant"].strip(), data["amount"] or 0, data["reason"], data["tracking_number"]
    )
    try:
        # A savepoint: after a refusal the page is shown in the same transaction.
        with transaction.atomic():
            add_surcharge(
                actor=request.actor, courier_id=account.organisation.pk, terms=terms, now=timezone.now()
            )
    except InvalidInput as error:
        add_service_errors(form, error)
    except AllianceError as error:
        form.add_error(None, error.detail)
    return not form.errors


def _account(request: ActorRequest) -> Account:
    return account_of(request.actor, organisation_id=request.GET.get("organisation") or None)


def _month(request: ActorRequest, text: str) -> tuple[Account, FreightOfMonth]:
    account = _account(request)
    return account, month_for(account, text, now=timezone.now())


def _params(request: ActorRequest, account: Account) -> dict[str, str]:
    return {"organisation": account.organisation.public_id} if request.actor.is_ops else {}


def _query(request: ActorRequest, account: Account) -> str:
    return f"?{urlencode(_params(request, account))}" if request.actor.is_ops else ""
