"""Components of pages; docs/ui.md describes how to use each."""

import functools
import json
from typing import Any

from crispy_forms.templatetags.crispy_forms_filters import as_crispy_field
from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import BaseForm, BoundField, Field
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from alliance.portal import components
from alliance.portal.badges import badge_for
from alliance.portal.browsers import browser_text
from alliance.portal.charts import Picture, Unit
from alliance.portal.icons import picture_of
from alliance.portal.paging import EVERYTHING, Asked
from alliance.portal.undo import undo_of
from alliance.portal.written_fields import written
from alliance.web.prepared_templates import steady
from alliance.wording import amount, kilograms, money_text

register = template.Library()
register.filter(kilograms)
register.filter(browser_text)
register.filter(undo_of)

ALERTS = {"success": "success", "error": "danger", "warning": "warning", "info": "info", "debug": "secondary"}
ALERT_ICONS = {"success": "circle-check", "error": "alert-circle", "warning": "alert-triangle"}


# --- small things ----------------------------------------------------------------------------


@register.simple_tag
@steady
def icon(name: str, label: str = "") -> SafeString:
    """Render a Tabler icon; with a label for screen readers, without one as decoration."""
    return picture_of(name, label)


@register.filter
def initial(value: object) -> str:
    """Return the letter of an avatar."""
    text = str(value).strip()
    return text[:1].upper() or "·"


@register.filter
def alert_class(level_tag: str) -> str:
    return ALERTS.get(level_tag, "info")


@register.filter
def alert_icon(level_tag: str) -> str:
    return ALERT_ICONS.get(level_tag, "info-circle")


@register.filter
def percent(ratio: float | None, places: int = 2) -> str:
    """Format a ratio as a percentage: 0.91308 is `91.31 %`; None is a dash."""
    if ratio is None:
        return "–"
    # Not formats.number_format: it truncates digits instead of rounding.
    return f"{ratio * 100:.{places}f}\N{NO-BREAK SPACE}%"


@register.filter
def bar_width(ratio: float | None) -> str:
    """Return the width of a bar in a picture 100 wide."""
    return f"{(ratio or 0) * 100:.1f}"


@register.filter
def count(value: int | None) -> str:
    """Format a whole number with thousands separators; None is a dash."""
    return "–" if value is None else f"{value:,}"


@register.filter
def money(value: str) -> str:
    """Format an amount with thousands separators; an empty one stays empty."""
    return amount(value) if value else ""


@register.filter
def priced(value: str) -> str:
    """Format an amount with its currency."""
    return money_text(value)


@register.filter
def in_unit(value: float | int | str | None, unit: Unit) -> str:
    """Format a value of a chart's table by its unit."""
    if value is None or isinstance(value, str):
        return value or "–"
    return percent(value) if unit == "percent" else f"{value:,.10g}"


# --- states ----------------------------------------------------------------------------------


def _badge(family: str, value: object, label: str = "") -> SafeString:
    # The value may be a TextChoices member or a plain string.
    return _badge_in(get_language(), family, str(getattr(value, "value", value)), str(label))


@functools.lru_cache(maxsize=1024)
def _badge_in(_language: str | None, family: str, value: str, label: str) -> SafeString:
    # A list shows the same few on most of its rows.
    badge = badge_for(family, value, label=label)
    return format_html(
        '<span class="ca-badge" data-colour="{}">{}{}</span>',
        badge.colour,
        picture_of(badge.icon),
        badge.label,
    )


@register.simple_tag
def status_badge(status: object, label: str = "") -> SafeString:
    """Show a parcel's status."""
    return _badge("parcel", status, label)


@register.simple_tag
def outcome_badge(outcome: object, label: str = "") -> SafeString:
    """Show a commitment's outcome."""
    return _badge("outcome", outcome, label)


@register.simple_tag
def state_badge(state: object, family: str = "general", label: str = "") -> SafeString:
    """Show any other state: of an application, an offer, an organisation, a job."""
    return _badge(family, state, label)


# --- numbers ---------------------------------------------------------------------------------


@register.inclusion_tag("components/stat_card.html")
def stat_card(label: str, value: object, **options: Any) -> dict[str, Any]:
    """Show one number. Options: n, delta, delta_good, help, icon, url, tone, note."""
    return {"label": label, "value": value, **options}


@register.inclusion_tag("components/rate_pair.html")
def rate_pair(
    raw: float | None, accountable: float | None, n: int, *, provisional: bool = False, **options: Any
) -> dict[str, Any]:
    """Show raw and accountable rate side by side. Options: label, excused, void, min_n, url.

    Rates are ratios or None; below `min_n` parcels (30) the pair is flagged as few.
    """
    few = 0 < n < int(options.pop("min_n", 30))
    return {"raw": raw, "accountable": accountable, "n": n, "provisional": provisional, "few": few, **options}


@register.inclusion_tag("components/chart.html")
def chart(chart: Picture, *, height: str = "md", heading: bool = True) -> dict[str, Any]:
    """Render a chart with its data table. Heights: sm, md, lg."""
    return {
        "chart": chart,
        "json": json.dumps(chart.as_json(), cls=DjangoJSONEncoder),
        "source_id": f"{chart.id}-data",
        "height": height,
        "heading": heading,
    }


# --- lists -----------------------------------------------------------------------------------


@register.inclusion_tag("components/empty_state.html")
def empty_state(title: str, text: str = "", **options: Any) -> dict[str, Any]:
    """Explain an empty list, and what to do. Options: icon, action_url, action_label, compact."""
    return {"title": title, "text": text, "icon": "inbox", **options}


@register.inclusion_tag("components/pager.html")
def pager(
    next_url: str = "", previous_url: str = "", *, target: str = "", note: str = "", first_url: str = ""
) -> dict[str, Any]:
    """Links to the next and previous page. With `target` (a CSS id) htmx swaps only that element.

    A list that is read forwards only gives its `first_url` instead of a previous page.
    """
    links = {"next_url": next_url, "previous_url": previous_url, "first_url": first_url}
    return {**links, "target": target, "note": note}


@register.inclusion_tag("components/sort_header.html", takes_context=True)
def sort_header(context: template.Context, name: str, *, css: str = "", target: str = "") -> dict[str, Any]:
    """The header of a column that the list can be sorted by, as a link; `sorting` is of the context."""
    return {"link": context["sorting"].sort_links[name], "css": css, "target": target}


@register.inclusion_tag("components/sort_menu.html", takes_context=True)
def sort_menu(context: template.Context, *, target: str = "") -> dict[str, Any]:
    """The sorts of a list for phones; needed by the filters, too: it holds the sort they keep."""
    return {"sorting": context["sorting"], "target": target}


@register.inclusion_tag("components/filter_chips.html", takes_context=True)
def filter_chips(context: template.Context, form: BaseForm) -> dict[str, Any]:
    """The filters that are set, each a link to the list without it; `sorting` is of the context."""
    asked: Asked = context["sorting"]
    chips = [
        (form.fields[name].label, _shown(form.fields[name], value), asked.filtered_url(**{name: others}))
        for name, values in asked.filters.items()
        for value in values
        if value != form.fields[name].initial
        for others in [[other for other in values if other != value]]
    ]
    return {"chips": chips}


def _shown(field: Field, value: str) -> str:
    choices = {str(key): str(text) for key, text in getattr(field, "choices", ())}
    return choices.get(value, value)


@register.simple_block_tag(takes_context=True)
def filter_bar(context: template.Context, content: str, *, target: str = "", url: str = "") -> SafeString:
    """Wrap the fields of a GET form; with `target` the list refreshes when they change."""
    return mark_safe(  # noqa: S308 -- rendered by Django's own templates
        render_to_string(
            "components/filter_bar.html",
            {
                "content": content,
                "target": target,
                "url": url or _path(context),
                "clear_url": f"{_path(context)}?{EVERYTHING}=1"
                if "views" in context
                else url or _path(context),
            },
        )
    )


@register.simple_tag
def filter_field(field: BoundField, *, css: str = "") -> SafeString:
    """Show a field of a filter bar, with its label and error."""

    def render(field: BoundField) -> SafeString:
        return render_to_string("components/filter_field.html", {"field": field, "css": css})

    return written(field, render, "filter", css)


@register.simple_tag
def form_field(field: BoundField) -> SafeString:
    """Show a field of a form, with its label, help and error."""
    return written(field, as_crispy_field, "form")


@register.inclusion_tag("components/field_error.html")
def field_error(field: BoundField, *, within: bool = False) -> dict[str, Any]:
    """Show the error of a field of a filter bar; if empty, render a placeholder that htmx can swap.

    `within` says that it is inside the part of the page that htmx swaps anyway.
    """
    return {"field": field, "within": within}


@register.simple_block_tag
def data_table(content: str, *, caption: str = "", id: str = "") -> SafeString:
    """Wrap thead and tbody; a phone shows each row as a card with the data-label of each cell."""
    return mark_safe(  # noqa: S308 -- rendered by Django's own templates
        render_to_string("components/data_table.html", {"content": content, "caption": caption, "id": id})
    )


@register.simple_block_tag
def card(
    content: str, *, title: str = "", subtitle: str = "", id: str = "", flush: bool = False
) -> SafeString:
    """Wrap a part of a page. `flush` removes the padding, for tables and lists."""
    return mark_safe(  # noqa: S308 -- rendered by Django's own templates
        render_to_string(
            "components/card.html",
            {"content": content, "title": title, "subtitle": subtitle, "id": id, "flush": flush},
        )
    )


register.simple_tag(components.timeline, name="timeline")
register.simple_tag(components.stepper, name="stepper")


# --- forms and actions -----------------------------------------------------------------------


@register.inclusion_tag("components/form_errors.html")
def form_errors(form: BaseForm) -> dict[str, Any]:
    """Summarise a form's errors, each linked to its field. Crispy forms include this themselves."""
    return {"form": form, "fields": fields_with_errors(form)}


@register.filter
def fields_with_errors(form: BaseForm) -> list[BoundField]:
    return [form[name] for name in form.errors if name in form.fields]


@register.inclusion_tag("components/dropzone.html")
def dropzone(field: BoundField, *, accept: str = "", max_bytes: int = 0, hint: str = "") -> dict[str, Any]:
    """A file field with drag and drop; without scripts it is a plain file field."""
    return {"field": field, "accept": accept, "max_bytes": max_bytes, "hint": hint}


@register.inclusion_tag("components/confirm_dialog.html", takes_context=True)
def confirm_dialog(
    context: template.Context, id: str, title: str, text: str, **options: Any
) -> dict[str, Any]:
    """Confirm a POST. Options: action (URL), button, tone (danger, primary), name, value, field."""
    return {
        "id": id,
        "title": title,
        "text": text,
        "tone": "danger",
        "csrf_token": context.get("csrf_token"),
        "actor": context.get("actor"),
        **options,
    }


@register.inclusion_tag("components/progress.html")
def progress(
    done: int, total: int, *, url: str = "", label: str = "", id: str = "progress"
) -> dict[str, Any]:
    """Show the progress of a job; with `url`, poll that page every second until done >= total."""
    is_finished = total > 0 and done >= total
    return {"done": done, "total": total, "url": "" if is_finished else url, "label": label, "id": id}


def _path(context: template.Context) -> str:
    request = context.get("request")
    return request.path if request is not None else ""
