"""The admin of shared facilities."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _

from alliance.admin import ReadOnlyAdmin, operates
from alliance.admin_compared import ComparedForm, ComparedMixin
from alliance.web.requests import actor_of
from couriers.applications.rules import tidy
from couriers.facilities import services as facilities
from couriers.models import Facility


class FacilityForm(ComparedForm):
    """A facility's name as it is stored, so that one that is taken is refused beside the field."""

    def clean_name(self) -> str:
        name = tidy(self.cleaned_data["name"])
        if not name:
            raise forms.ValidationError(_("Enter a name."), code="required")
        return name


@admin.register(Facility)
class FacilityAdmin(ComparedMixin, ReadOnlyAdmin):
    """Shared facilities; saved through their service."""

    form = FacilityForm
    list_display = ("name", "city", "kind")
    list_filter = ("kind",)
    list_select_related = ("city",)
    search_fields = ("name", "city__name_en", "city__name_zh")
    autocomplete_fields = ("city",)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return operates(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return operates(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Facility, form: forms.Form, change: bool) -> None:
        facility = facilities.save_facility(
            actor=actor_of(request),
            name=obj.name,
            city=obj.city,
            kind=obj.kind,
            facility_id=obj.pk,
        )
        obj.pk = facility.pk
