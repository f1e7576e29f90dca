"""The lines of a month of freight on its page: of all kinds or of one, in pages."""

from functools import partial
from typing import Any, Final

from django.utils.http import urlencode
from django.utils.translation import gettext as _

from alliance.cursor_seals import Seal
from alliance.errors import Gone
from alliance.figures import unless_away
from alliance.web.requests import ActorRequest
from parcels.choices import FreightKind
from parcels.freight.lines import EVERY_KIND, FreightLine, Place, lines_of, read_place
from parcels.freight.queries import FreightOfMonth
from slas.choices import CreditCause
from slas.credits.accounts import Account
from slas.listed import TIERS

PAGE: Final = 20
# The parameters of the kind, and of the place after which the page begins.
KIND: Final = "kind"
AFTER: Final = "line"


def lines_context(
    request: ActorRequest, account: Account, month: FreightOfMonth, params: dict[str, str]
) -> dict[str, Any]:
    """What the template shows of the lines; `is_refused` if the address names no kind or no place of them."""
    asked = request.GET.get(KIND, "")
    kinds = [FreightKind(asked)] if asked in FreightKind.values else EVERY_KIND
    of_kind = {**params, **({KIND: asked} if asked in FreightKind.values else {})}
    seal = Seal.of(
        request.actor, f"freight lines {month.text}", {name: [each] for name, each in of_kind.items()}
    )
    sealed = request.GET.get(AFTER, "")
    place = read_place(seal.open(sealed) or "") if sealed else Place()
    context = {
        "kinds": [_tab("", asked, params), *(_tab(kind.value, asked, params) for kind in FreightKind)],
        "kind": asked,
        "first_line_url": f"?{urlencode(of_kind)}#lines" if sealed else "",
        "is_refused": place is None or bool(asked and asked not in FreightKind.values),
    }
    if context["is_refused"] or place is None:
        return {**context, "lines": []}
    try:
        # The sums are there while a worker of a cluster is away, the lines are not.
        read = partial(lines_of, account, month.month, place, limit=PAGE, kinds=kinds)
        found = unless_away(read, otherwise=None)
    except Gone as gone:
        return {**context, "lines": [], "lines_problem": gone.detail}
    if found is None:
        return {**context, "lines": [], "lines_problem": _("The lines cannot be shown at the moment.")}
    lines, following = found
    next_url = f"?{urlencode({**of_kind, AFTER: seal.close(str(following))})}#lines" if following else ""
    return {**context, "lines": [_row(line) for line in lines], "next_line_url": next_url}


def _tab(kind: str, asked: str, params: dict[str, str]) -> dict[str, Any]:
    label = FreightKind(kind).label if kind else _("All")
    query = {**params, **({KIND: kind} if kind else {})}
    return {"label": label, "url": f"?{urlencode(query)}#lines", "is_active": kind == asked}


def _row(line: FreightLine) -> dict[str, Any]:
    tiers = {tier.code: tier.name for tier in TIERS.every()}
    note = CreditCause(line.note).label if line.kind == FreightKind.CREDIT else line.note
    return {
        "line": line,
        "kind": line.kind.label,
        "detail": note or tiers.get(line.service, ""),
    }
