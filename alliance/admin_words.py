"""Audit entries and events in words: who, about what, and with which values."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache, partial
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import AutoField, BigAutoField
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext, pgettext

from alliance import wording
from alliance.admin_history import models_by_object_type
from alliance.database.placements import BY_PARCEL
from alliance.figures import unless_away
from alliance.models import AuditEntry
from alliance.wording import code_text, listed, named, object_text, parted

# A value of ours, such as a tier or a step, and no text of a person.
_CODE = re.compile(r"[a-z]+(?:_[a-z]+)*")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*")


# --- who -------------------------------------------------------------------------------------


def actor_text(entry: AuditEntry) -> str:
    """Return who did it: an e-mail address as it is, a program's label in the reader's language."""
    label = entry.actor_label
    if entry.actor_kind == "api_key":
        return gettext("API key %(name)s") % {"name": label.removeprefix("key ")}
    if entry.actor_kind != "system":
        return label
    return wording.actor_text(label)


# --- about what ------------------------------------------------------------------------------


def object_names(request: HttpRequest, entries: Iterable[AuditEntry]) -> dict[tuple[str, str], str]:
    """Return the names of the rows that entries are about, in one query for each kind of row."""
    models, keys = models_by_object_type(), defaultdict(set)
    for entry in entries:
        if entry.object_id.isdecimal() and len(entry.object_id) < 19 and entry.object_type in models:
            keys[entry.object_type].add(int(entry.object_id))
    names: dict[tuple[str, str], str] = {}
    for kind, ids in keys.items():
        model = models[kind]
        if not isinstance(model._meta.pk, (AutoField, BigAutoField)) and model._meta.pk.remote_field is None:
            continue
        listing = admin.site.get_model_admin(model)
        about = listing.get_queryset(request).filter(pk__in=ids)
        rows: Iterable[Any] = about
        if model._meta.db_table in BY_PARCEL:
            # On a cluster, parties are on another node; and the list is worth reading without these names.
            rows = unless_away(partial(list, about.select_related(None)), otherwise=[])
        elif isinstance(listing.list_select_related, tuple):
            rows = about.select_related(*listing.list_select_related)
        names |= {(kind, str(row.pk)): str(row) for row in rows}
    return names


def object_link(entry: AuditEntry, name: str = "") -> str:
    """Return what an entry is about, with a link to its page in the admin if it has one."""
    number = entry.object_id
    # A parcel and its milestones are known by the tracking number.
    is_numbered = not name or entry.object_type in ("parcel", "commitment")
    text = (
        object_text(entry.object_type, number) if is_numbered else named(code_text(entry.object_type), name)
    )
    model = models_by_object_type().get(entry.object_type)
    if model is None or not number:
        return text
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[number])
    return format_html('<a class="text-primary-600" href="{}">{}</a>', url, text)


# --- with which values -----------------------------------------------------------------------


def detail_text(detail: Mapping[str, Any]) -> str:
    """Return the detail of an entry in words: "Reason: storm; Numbers: CA1..., CA2..."."""
    return parted(named(_name_text(name), _value_text(name, value)) for name, value in detail.items())


def _name_text(name: str) -> str:
    # Some names mean something else on pages: "number" is a parcel's there.
    for text in (pgettext("record", name), gettext(name)):
        if text != name:
            return text
    return capfirst(str(_columns().get(name) or code_text(name)))


def _value_text(name: str, value: Any) -> str:
    match value:
        case bool():
            return gettext("yes") if value else gettext("no")
        case list() | dict() if not value:
            return "–"
        case {"before": before, "after": after}:
            return f"{_value_text(name, before)} → {_value_text(name, after)}"
        case list():
            return listed(_value_text(name, item) for item in value)
        case dict():
            return detail_text(value)
        case None | "":
            return "–"
        case str():
            return _text_text(name, value)
    return str(value)


def _text_text(name: str, text: str) -> str:
    """Return a code in words, a moment or a day as pages write them, and any other text as it is."""
    if (label := _labels().get(name, {}).get(text) or _labels()[""].get(text)) is not None:
        return str(label)
    try:
        if _DAY.fullmatch(text):
            return date_format(date.fromisoformat(text), "DATE_FORMAT")
        if _MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return date_format(localtime(moment) if moment.tzinfo else moment, "DATETIME_FORMAT")
    except ValueError:
        pass
    if name == "fields":
        # Names of fields, as in a list of what changed.
        return _name_text(text)
    return gettext(text) if _CODE.fullmatch(text) else text


@cache
def _columns() -> dict[str, str | Promise]:
    """Return what pages call the columns whose name means one thing everywhere."""
    names: dict[str, dict[str, str | Promise]] = defaultdict(dict)
    for model in apps.get_models():
        for field in model._meta.fields:
            # Only names that somebody wrote are in the catalogue.
            if isinstance(field.verbose_name, Promise):
                names[field.name][str(field.verbose_name)] = field.verbose_name
    return {name: texts.popitem()[1] for name, texts in names.items() if len(texts) == 1}


@cache
def _labels() -> dict[str, dict[str, str | Promise]]:
    """Return the label of each code by the name of its column, and under "" those that mean one thing."""
    labels: dict[str, dict[str, str | Promise]] = defaultdict(dict)
    meanings: dict[str, set[str]] = defaultdict(set)
    for model in apps.get_models():
        for field in model._meta.get_fields():
            for code, label in getattr(field, "flatchoices", None) or ():
                if isinstance(code, str) and code:
                    labels[field.name][code] = label
                    labels[""][code] = label
                    meanings[code].add(str(label))
    for code, texts in meanings.items():
        if len(texts) > 1:
            del labels[""][code]
    return dict(labels)
