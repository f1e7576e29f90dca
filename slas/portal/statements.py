"""Statements: the credits of a merchant, or the debts of a courier, month by month."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.cursor_seals import Seal
from alliance.cursors import Order, number, word
from alliance.durations import duration_text
from alliance.errors import Conflict
from alliance.figures import unless_away
from alliance.portal.paging import Asked, Listing, Sort
from alliance.tenancy import Actor, require
from alliance.web.answers import begun
from alliance.web.requests import ActorRequest
from slas.credits.accounts import Account
from slas.credits.statements import (
    PAGE,
    Line,
    MonthSums,
    Summary,
    account_of,
    counterparties_before,
    lines_of,
    month_for,
    months_of,
    page_before,
    read_place,
    summary_of,
)
from slas.models import CreditEntry
from slas.portal.statement_files import MOST_ON_PAPER, as_csv, as_pdf
from slas.promises.prices import yuan

# The parameter with the place after which a page of counterparties begins.
PARTS_AFTER: Final = "parts"
# A line a month since the organisation joined: sorted in memory.
MONTHS: Final = Listing(
    "statements",
    {
        "month": Sort(gettext_lazy("Month"), Order((("month", word),))),
        "entries": Sort(gettext_lazy("Entries"), Order((("entries", number), ("month", word)))),
        "total": Sort(gettext_lazy("Total (CNY)"), Order((("total_fen", number), ("month", word)))),
    },
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line as shown on the page."""

    line: Line
    # The lateness of the delivery as text.
    late_by: str

    @property
    def entry(self) -> CreditEntry:
        return self.line.entry


@require_safe
@login_required
def statement_list(request: ActorRequest) -> HttpResponse:
    """List the months with entries, including the current one."""
    actor = request.actor
    require(actor, Capability.VIEW_FINANCE)
    if actor.is_ops and "organisation" not in request.GET:
        return redirect("admin:slas_statement_changelist")
    account = _account(request)
    months = months_of(account, now=timezone.now())
    asked = MONTHS.asked(request, _params(account, actor))
    context = {
        "account": account,
        "months": asked.in_order(months),
        "sorting": asked,
        "current": months[0],
        "final": yuan(sum(month.total_fen for month in months if month.closed_at)),
        "query": _query(account, actor),
    }
    status = 422 if asked.is_refused else 200
    return render(request, "slas/statement_list.html", context, status=status)


@require_safe
@login_required
def statement_detail(request: ActorRequest, month: str) -> HttpResponse:
    """Show a month: its parts, and its entries in the order they were written.

    Counterparties and entries have pages of their own, each from its beginning while the other is turned.
    """
    actor = request.actor
    account, sums = _month(request, month)
    asked = _entries(sums).asked(request, _params(account, actor))
    seal = Seal.of(actor, f"statement parts {sums.text}", _params(account, actor))
    place = request.GET.get(PARTS_AFTER, "")
    after = read_place(seal.open(place) or "") if place else None
    is_refused = asked.is_refused or bool(place and after is None)
    summary = summary_of(account, sums, after=after)
    last_id = number(asked.after) or 0
    read = partial(lines_of, account, sums.month, after=last_id, limit=PAGE + 1)
    # The sums are there while a worker of a cluster is away, the entries are not.
    lines = [] if asked.is_refused else unless_away(read, otherwise=None)
    query = _query(account, actor)
    context = {
        "account": account,
        "sums": sums,
        "summary": summary,
        **_pages_of_parts(account, summary, asked, seal, after),
        "rows": [_row(line) for line in (lines or [])[:PAGE]],
        "is_away": lines is None,
        "query": query,
        "list_url": f"{reverse('slas:statement_list')}{query}",
        "may_print": sums.entries <= MOST_ON_PAPER,
        "sorting": asked,
        **_pages(account, sums, lines or [], asked),
    }
    return render(request, "slas/statement_detail.html", context, status=422 if is_refused else 200)


@require_safe
@login_required
def statement_csv(request: ActorRequest, month: str) -> StreamingHttpResponse:
    """Send every entry of a month as CSV."""
    actor = request.actor
    account, sums = _month(request, month)
    return StreamingHttpResponse(
        begun(as_csv(actor, account, sums.month)),
        content_type="text/csv; charset=utf-8",
        headers=_headers(account, sums, "csv"),
    )


@require_safe
@login_required
def statement_pdf(request: ActorRequest, month: str) -> HttpResponse:
    """Send a month as PDF. Raises Conflict if it has too many entries for one."""
    account, sums = _month(request, month)
    if sums.entries > MOST_ON_PAPER:
        message = _("This statement has more than %(most)d entries: download it as CSV.")
        raise Conflict(message % {"most": MOST_ON_PAPER}, code="too_long")
    content = as_pdf(account, sums)
    return HttpResponse(content, content_type="application/pdf", headers=_headers(account, sums, "pdf"))


def _account(request: ActorRequest) -> Account:
    actor = request.actor
    return account_of(actor, organisation_id=request.GET.get("organisation") or None)


def _month(request: ActorRequest, text: str) -> tuple[Account, MonthSums]:
    account = _account(request)
    return account, month_for(account, text, now=timezone.now())


def _query(account: Account, actor: Actor) -> str:
    return f"?{urlencode({'organisation': account.organisation.public_id})}" if actor.is_ops else ""


def _params(account: Account, actor: Actor) -> dict[str, list[str]]:
    return {"organisation": [account.organisation.public_id]} if actor.is_ops else {}


def _entries(sums: MonthSums) -> Listing:
    # Entries stand in the order they were written, each with the running total.
    return Listing(f"statement {sums.text}", {"written": Sort(_("Entries"))})


def _pages(account: Account, sums: MonthSums, lines: list[Line], asked: Asked) -> dict[str, Any]:
    is_later = bool(asked.after)
    start = page_before(account, sums.month, before=lines[0].entry.pk) if is_later and lines else 0
    previous_url = asked.place_url("after", str(start)) if start else asked.url()
    return {
        "next_url": asked.place_url("after", str(lines[PAGE - 1].entry.pk)) if len(lines) > PAGE else "",
        "previous_url": previous_url if is_later and lines else "",
        "newest_url": asked.url() if asked.is_refused or (is_later and not lines) else "",
    }


def _pages_of_parts(
    account: Account, summary: Summary, asked: Asked, seal: Seal, after: tuple[int, int] | None
) -> dict[str, str]:
    def url(place: str) -> str:
        return asked.url(**{PARTS_AFTER: seal.close(place)})

    is_later = after is not None and summary.counterparties
    previous = counterparties_before(account, summary.sums.month, after=after) if after else ""
    return {
        "next_parts_url": url(summary.next_counterparties) if summary.next_counterparties else "",
        "previous_parts_url": url(previous) if is_later else "",
    }


def _row(line: Line) -> Row:
    return Row(line, "" if line.late_by is None else duration_text(line.late_by))


def _headers(account: Account, sums: MonthSums, ending: str) -> dict[str, str]:
    name = f"statement-{account.organisation.slug}-{sums.text}.{ending}"
    return {
        # Short names may be Chinese, which a plain header cannot contain.
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=name) or "",
        "Cache-Control": "private, no-store",
    }
