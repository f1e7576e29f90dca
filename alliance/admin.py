"""The admin of organisations and cities, and what all admins share.

Read-only: services make all changes.
"""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

import re
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from alliance import names
from alliance.admin_history import HistoryMixin
from alliance.admin_site import FindableMixin
from alliance.choices import Capability, OrganisationStatus
from alliance.errors import AllianceError, NotFound
from alliance.long_lists import LongListMixin, NamedListMixin, organisations_for_search
from alliance.members.services import standing
from alliance.models import (
    City,
    Member,
    Organisation,
)
from alliance.sandboxes import OFFSET
from alliance.texts import one_line
from alliance.web.requests import actor_of
from alliance.wording import named


def operates(request: HttpRequest) -> bool:
    """Whether the user has full operator rights: superusers, and staff whose group has the permission."""
    actor = actor_of(request)
    return actor.can(Capability.OPERATE)


# What Django's filters add to the name of their field; those of a foreign key add its target's key, too.
_FILTERS = {"", "__exact", "__isnull", "__gte", "__lt", "__id__exact", "__organisation__exact"}
_DATES = {"__year", "__month", "__day"}


class ListedFiltersMixin:
    """A list that is narrowed by its filters only, and pages that are found by their row's key only.

    Django lets a URL compare any column of the table, also one that is shown masked or not at all: one
    character after the other, `?recipient_phone__startswith=1` recovers it.
    """

    # Nor by numbers beside them: each would count a large table, for every choice.
    show_facets = admin.ShowFacets.NEVER

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Whether a filter of the list has this name."""
        for listed in self.get_list_filter(request):  # type: ignore[attr-defined]
            name = getattr(listed, "parameter_name", listed)
            if lookup.startswith(name) and lookup.removeprefix(name) in _FILTERS:
                return True
        dates = self.date_hierarchy  # type: ignore[attr-defined]
        return bool(dates) and lookup.startswith(dates) and lookup.removeprefix(dates) in _DATES

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return a row by its key. No page of ours leads to one by another field, which ?_to_field= names."""
        return super().get_object(request, object_id)  # type: ignore[misc]


class PermittedLinksMixin:
    """Pages whose links to other rows lead only to what the reader may see.

    Django links each row that a row refers to, for customer service also to pages that refuse it.
    """

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().render_change_form(request, *args, **kwargs)  # type: ignore[misc]
        if not operates(request) and isinstance(response, TemplateResponse):
            response.add_post_render_callback(partial(_unlink, request))
        return response


def _unlink(request: HttpRequest, response: HttpResponse) -> None:
    """Keep the text of links to pages of models that the user may not view."""

    def kept(match: re.Match[str]) -> str:
        model = apps.get_model(match["app"], match["model"])
        return match[0] if admin.site.get_model_admin(model).has_view_permission(request) else match["text"]

    response.content = _ROW_LINK.sub(kept, response.content.decode()).encode()


# As django-unfold writes them.
_ROW_LINK = re.compile(
    r'<a href="/admin/(?P<app>\w+)/(?P<model>\w+)/[^"]*" class="text-link">(?P<text>.*?)</a>'
)


class TidyTextMixin:
    """A form whose texts lose the characters that nobody sees, as those of the portal's forms do."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)  # type: ignore[misc]
        if isinstance(field, forms.CharField):
            field.to_python = partial(_tidy, field.to_python)  # type: ignore[method-assign]
        return field


def _tidy(to_python: Callable[[Any], Any], given: Any) -> Any:
    value = to_python(given)
    return "\n".join(map(one_line, value.splitlines())) if isinstance(value, str) else value


class ReadOnlyAdmin(PermittedLinksMixin, ListedFiltersMixin, TidyTextMixin, HistoryMixin, ModelAdmin):
    """A read-only list and detail page for ops. Large tables are never counted."""

    show_full_result_count = False
    list_per_page = 50

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return operates(request) or super().has_view_permission(request, obj)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The permission of custom pages that change rules of the alliance."""
        return operates(request)

    def require_operator(self, request: HttpRequest) -> None:
        """Raise PermissionDenied without full operator rights. For pages that replace Django's."""
        if not operates(request):
            raise PermissionDenied

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class UncountedAdmin(LongListMixin, ReadOnlyAdmin):
    """For tables too large to count: pages have next and previous links only.

    Lists are ordered by an index, and searches use one.
    """


class OrganisationSearchMixin:
    """A list that is searched by the organisation of its rows."""

    organisation_field = "organisation_id"
    # The field is not searched: it only makes the admin show the box.
    search_fields = ("pk",)
    search_help_text = _("An organisation's name or short name")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        organisation_ids = organisations_for_search(request, term)
        return queryset.filter(**{f"{self.organisation_field}__in": organisation_ids}), False


class OrganisationSearchAdmin(OrganisationSearchMixin, UncountedAdmin):
    """A long list that is searched by the organisation of its rows."""


class FileJobMixin:
    """Files that workers read or write: ops can resume failed ones."""

    # A service of the app, called with the keyword arguments `actor` and `file_id`.
    resume: ClassVar[Callable[..., bool]]
    actions = ("go_on",)

    @admin.action(description=_("Resume failed files"), permissions=["operate"])
    def go_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        actor = actor_of(request)
        resumed = sum(self.resume(actor=actor, file_id=file.pk) for file in queryset)
        text = ngettext("%(n)d file was resumed.", "%(n)d files were resumed.", resumed)
        messages.info(request, text % {"n": resumed})


class MemberInline(TabularInline):
    model = Member
    extra = 0
    raw_id_fields = ("user",)
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReasonForm(forms.Form):
    """The reason of a suspension or its end."""

    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The owners read it in a mail."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "maxlength": standing.REASON_LENGTH}),
        required=False,
    )


def answer_form(
    model_admin: ModelAdmin,
    request: HttpRequest,
    *,
    form: forms.Form,
    carry_out: Callable[[dict[str, Any]], object],
    title: str,
    text: str,
    button: str,
    back: str,
) -> HttpResponse:
    """Show a form that asks before an action, or carry it out and return to `back`."""
    if request.method == "POST" and form.is_valid():
        try:
            carry_out(form.cleaned_data)
        except AllianceError as error:
            for item in error.errors:
                form.add_error(item.field if item.field in form.fields else None, str(item.message))
            if not error.errors:
                form.add_error(None, error.detail)
        else:
            messages.success(request, gettext("Done. %(title)s") % {"title": title})
            return redirect(back)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "form": form,
        "text": text,
        "button": button,
        "back": back,
    }
    return render(request, "admin/alliance/reason.html", context, status=422 if form.errors else 200)


@admin.register(Organisation)
class OrganisationAdmin(FindableMixin, NamedListMixin, ReadOnlyAdmin):
    """Organisations; they are suspended and reinstated here."""

    list_display = ("name", "kind", "status", "slug", "created_at")
    list_filter = ("kind", "status")
    search_help_text = _("A part of a name, or a short name")
    inlines = (MemberInline,)
    icon_found = "apartment"
    rare = MappingProxyType({"kind__exact": "courier operator", "status__exact": "applicant suspended"})
    name_columns = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organisation]:
        # Sandboxes are their merchants' own affair.
        return super().get_queryset(request).filter(pk__lt=OFFSET)

    def named(self, text: str, **page: Any) -> list[int]:
        return names.organisations_named(text, **page)

    def find(self, request: HttpRequest, term: str) -> QuerySet[Organisation]:
        found = names.organisations_named(term, most=self.MOST_FOUND_EVERYWHERE)
        return Organisation.objects.filter(pk__in=found).order_by("-pk")

    actions_detail = ("suspend", "reinstate")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        organisation = self.get_object(request, str(object_id))
        paths: dict[str, str] = {
            OrganisationStatus.ACTIVE: "suspend",
            OrganisationStatus.SUSPENDED: "reinstate",
        }
        path = paths.get(organisation.status) if organisation else None
        return [item for item in super().get_actions_detail(request, object_id) if item.path == path]

    @action(
        description=_("Suspend"),
        url_path="suspend",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["operate"],
    )
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = gettext(
            "No new bookings by or with this organisation; its pages and API keys are closed. Parcels under "
            "way go on: a courier may still send scans. The owners get a mail with the reason."
        )
        return self._ask(request, object_id, standing.suspend_organisation, gettext("Suspend"), text)

    @action(
        description=_("Reinstate"),
        url_path="reinstate",
        icon="restart_alt",
        variant=ActionVariant.SUCCESS,
        permissions=["operate"],
    )
    def reinstate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = gettext("The organisation works as before at once. The owners get a mail with the reason.")
        return self._ask(request, object_id, standing.reinstate_organisation, gettext("Reinstate"), text)

    def _ask(
        self,
        request: HttpRequest,
        object_id: str,
        change: Callable[..., Organisation],
        button: str,
        text: str,
    ) -> HttpResponse:
        organisation = self.get_object(request, object_id)
        if organisation is None:
            raise NotFound
        return answer_form(
            self,
            request,
            form=ReasonForm(request.POST if request.method == "POST" else None),
            carry_out=lambda data: change(actor=actor_of(request), organisation_id=organisation.pk, **data),
            title=named(button, organisation),
            text=text,
            button=button,
            back=reverse("admin:alliance_organisation_change", args=[organisation.pk]),
        )


@admin.register(City)
class CityAdmin(ReadOnlyAdmin):
    exclude = ("search_text",)
    list_display = ("code", "name_en", "name_zh", "province_name", "country", "time_zone")
    list_filter = ("country",)
    search_fields = ("code", "name_en", "name_zh")
    # Every spelling by which it is found.
    exclude = ("search_text",)

    @admin.display(description=_("province"), ordering="province_en")
    def province_name(self, city: City) -> str:
        return city.province
