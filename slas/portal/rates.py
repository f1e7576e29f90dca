"""The page of on-time rates: cards, a chart, a table, and the table as a file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alliance.choices import Capability, OrganisationKind
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.models import Organisation
from alliance.names import organisations_named
from alliance.portal.forms import add_service_errors
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from alliance.wording import server_zone_text
from slas.portal.rate_charts import Shown, draw, picture_names
from slas.portal.rate_columns import FIGURES, Column, as_file
from slas.portal.rate_form import GROUPS, PICTURES, RateQueryForm, presets
from slas.rates.filter_choices import NO_CHOICES, choices_for
from slas.rates.names import NamedRow, named_rows
from slas.rates.queries import RateAnswer, answer_rates
from slas.rates.questions import rate_query
from slas.rates.rules import IN_ORDER, GroupBy, RateRow

# The page shows at most this many rows; the file has all of them.
MOST_ROWS = 200
SUGGESTIONS = 8


@dataclass(frozen=True, slots=True)
class Page:
    """The requested rates: the total, and the named rows."""

    answer: RateAnswer
    named: list[NamedRow]
    columns: tuple[Column, ...]

    @property
    def first(self) -> date:
        return self.answer.query.first

    @property
    def last(self) -> date:
        return self.answer.query.last

    @property
    def group_by(self) -> tuple[GroupBy, ...]:
        return self.answer.query.group_by

    @property
    def total(self) -> RateRow:
        return self.answer.total

    @property
    def late(self) -> int:
        """Late, whether reached since or not."""
        return self.total.late + self.total.overdue

    @property
    def rows(self) -> list[NamedRow]:
        """The rows of the table: days newest first, others in the answer's order."""
        ordered = self.named[::-1] if self.group_by == (GroupBy.DAY,) else self.named
        return ordered[:MOST_ROWS]

    @property
    def is_by_time(self) -> bool:
        """Whether rows are grouped by time; otherwise each is as provisional as the total."""
        return not IN_ORDER.isdisjoint(self.group_by)

    @property
    def heads(self) -> list[str | Promise]:
        return [GROUPS[item][0] for item in self.group_by]

    @property
    def lines(self) -> Iterator[tuple[NamedRow, list[tuple[Column, str]]]]:
        """The table's rows with the text of each column."""
        for line in self.rows:
            yield line, [(column, column.text_of(line.row)) for column in self.columns]


@dataclass(frozen=True, slots=True)
class PictureLink:
    label: str | Promise
    url: str
    is_shown: bool


@require_safe
@login_required
def rate_list(request: ActorRequest) -> HttpResponse:
    """Show the rates of a period: couriers their own, merchants their parcels', ops all."""
    actor = request.actor
    require(actor, Capability.VIEW_RATES)
    today = timezone.localdate()
    # htmx replaces only the figures of the page and keeps the form with its lists.
    choices = NO_CHOICES if request.htmx else choices_for(actor=actor, today=today)
    form = RateQueryForm(request.GET, actor=actor, choices=choices, today=today)
    page = _page(actor, form, today)
    picture = form.cleaned_data["picture"] if page else ""
    context = {
        "form": form,
        "page": page,
        "shown": _picture(actor, page, picture, today) if page else None,
        "pictures": _links(request.GET, page, picture) if page else [],
        "presets": presets(actor),
        "today": today,
        "zone": server_zone_text(),
        "may_export": actor.can(Capability.EXPORT),
    }
    return render(request, "slas/rate_list.html", context, status=200 if page else 422)


@require_safe
@login_required
def rate_download(request: ActorRequest) -> HttpResponse:
    """Send the table as a CSV with all rows. Shares are between 0 and 1, durations in minutes."""
    actor = request.actor
    require(actor, Capability.VIEW_RATES)
    require(actor, Capability.EXPORT)
    today = timezone.localdate()
    form = RateQueryForm(request.GET, actor=actor, choices=NO_CHOICES, today=today)
    page = _page(actor, form, today)
    if page is None:
        errors = [
            FieldError(f"/{name}" if name in form.fields else "", str(messages[0]))
            for name, messages in form.errors.items()
        ]
        raise InvalidInput(_("The query is not valid."), errors=errors)
    by = "-".join(page.group_by)
    name = f"on-time-rates-{page.first}-{page.last}-{by}.csv"
    return as_file(page.named, page.group_by, page.columns, name)


@require_safe
@login_required
def merchant_options(request: ActorRequest) -> HttpResponse:
    """Suggest merchants by a part of a name, as options of a datalist: to a courier those of its parcels."""
    actor = request.actor
    require(actor, Capability.VIEW_RATES)
    if actor.is_merchant:
        raise NotFound
    text = request.GET.get("merchant", "")
    found = organisations_named(text, kind=OrganisationKind.MERCHANT, most=SUGGESTIONS)
    merchants = Organisation.objects.filter(pk__in=found).order_by("name", "pk")
    return render(request, "slas/merchant_options.html", {"merchants": merchants})


def _page(actor: Actor, form: RateQueryForm, today: date) -> Page | None:
    """The figures, or None if the form has errors."""
    if not form.is_valid():
        return None
    try:
        query = rate_query(form.question(today))
        answer = answer_rates(actor=actor, query=query, today=today)
    except InvalidInput as error:
        add_service_errors(form, error)
        return None
    return Page(answer, named_rows(answer.rows, query.group_by), FIGURES[form.cleaned_data["figures"]][1])


def _picture(actor: Actor, page: Page, name: str, today: date) -> Shown | None:
    """The chart, or None if it would have too many rows."""
    try:
        return draw(name, actor=actor, answer=page.answer, named_rows=page.named, today=today)
    except InvalidInput:
        return None


def _links(params: QueryDict, page: Page, picture: str) -> Sequence[PictureLink]:
    """Links to the same query with each of the charts."""
    names = picture_names(page.answer)
    picture_shown = picture if picture in names else "trend"
    links = []
    for name in names:
        query = params.copy()
        query["picture"] = name
        links.append(PictureLink(PICTURES[name], f"?{query.urlencode()}", name == picture_shown))
    return links
