"""What the admin's own forms change goes into the audit, and "History" leads to it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.timezone import localtime
from django.utils.translation import gettext

from alliance import audit
from alliance.models import AuditEntry
from alliance.web.requests import actor_of
from alliance.wording import code_text, listed, named, object_text, parted

_DATE_LENGTH: Final = len("2026-11-30")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d\S*)?")
# A value of ours, such as a tier or a step, and no text of a person.
_CODE: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")


def object_type_of(model: type[Model]) -> str:
    """Return what audit entries call a model: "api_key" for ApiKey, "breach" for BreachListing."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", model.__name__.removesuffix("Listing")).lower()


def models_by_object_type() -> dict[str, type[Model]]:
    """Return the models with a page in the admin, by their name in audit entries."""
    return {object_type_of(model): model for model in admin.site._registry}  # noqa: SLF001 -- no public listing


class HistoryMixin:
    """Django's history knows only what its own forms change; the audit knows everything."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        # Who may not read the audit gets no button that leads to it.
        shows = admin.site.get_model_admin(AuditEntry).has_view_permission(request)
        context = {**(extra_context or {}), "show_history": shows}
        return super().changeform_view(request, object_id, form_url, context)  # type: ignore[misc]

    def history_view(self, request: HttpRequest, object_id: str, **_extra: Any) -> HttpResponse:
        """Lead to the object's entries in the audit."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        query = urlencode({"q": f"{object_type_of(self.model)} {object_id}"})  # type: ignore[attr-defined]
        return redirect(f"{reverse('admin:alliance_auditentry_changelist')}?{query}")


class AuditedMixin:
    """For models that the admin's own forms change, instead of a service that writes the audit entry."""

    def save_related(self, request: HttpRequest, form: "ModelForm[Any]", formsets: Any, change: bool) -> None:  # noqa: FBT001
        # Last of a save: the groups of a user are written by it.
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        if form.changed_data:
            self._record(request, form.instance, "changed" if change else "added", changes_of(form))

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self._record(request, obj, "deleted", {"name": str(obj)})
        super().delete_model(request, obj)  # type: ignore[misc]

    def _record(self, request: HttpRequest, row: Model, what: str, detail: dict[str, Any]) -> None:
        kind = object_type_of(type(row))
        audit.record(
            actor=actor_of(request),
            verb=f"{kind}.{what}",
            object_type=kind,
            object_id=row.pk,
            detail=detail,
        )


def changes_of(form: "ModelForm[Any]") -> dict[str, dict[str, str]]:
    """Return each changed field with its value before and after, in words."""
    return {
        name: {
            "before": _in_words(form.initial.get(name)),
            "after": _in_words(form.cleaned_data.get(name)),
        }
        for name in form.changed_data
    }


def _in_words(value: Any) -> str:
    if isinstance(value, (list, tuple, set)) or hasattr(value, "iterator"):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def object_link(entry: AuditEntry) -> str:
    """Return what an entry is about, with a link to its page in the admin if it has one."""
    text, number = object_text(entry.object_type, entry.object_id), entry.object_id
    model = models_by_object_type().get(entry.object_type)
    if model is None or not number:
        return text
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[number])
    return format_html('<a class="text-primary-600" href="{}">{}</a>', url, text)


def detail_text(detail: Mapping[str, Any]) -> str:
    """Return the detail of an entry in words: "reason: storm; numbers: CA1..., CA2..."."""
    return parted(named(_name_text(name, value), _value_text(value)) for name, value in detail.items())


def _name_text(name: str, value: Any) -> str:
    # A version has a number; the texts called "number" elsewhere are tracking numbers.
    return code_text("version" if name == "number" and isinstance(value, int) else name)


def _value_text(value: Any) -> str:
    match value:
        case bool():
            return gettext("yes") if value else gettext("no")
        case {"before": before, "after": after}:
            return f"{_value_text(before)} → {_value_text(after)}"
        case list():
            return listed(map(_value_text, value))
        case dict():
            return detail_text(value)
        case str() if _MOMENT.fullmatch(value):
            return _moment_text(value)
        case str() if _CODE.fullmatch(value):
            return gettext(value)
    return "–" if value in (None, "") else str(value)


def _moment_text(value: str) -> str:
    """Return an ISO date or time in the form of the pages; as it is if there is no such day."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    if len(value) == _DATE_LENGTH:
        return date_format(moment, "DATE_FORMAT")
    moment = localtime(moment) if moment.tzinfo else moment
    return date_format(moment, "DATETIME_FORMAT")
