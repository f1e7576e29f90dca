"""What the admin's own forms change goes into the audit, and "History" leads to it."""

import re
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from alliance import audit
from alliance.models import AuditEntry
from alliance.web.requests import actor_of


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
