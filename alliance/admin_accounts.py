"""The admin of accounts: users, whose flags ops change, and API keys."""

import re
from types import MappingProxyType
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext
from unfold.admin import ModelAdmin

from alliance import names
from alliance.admin import ListedFiltersMixin, OrganisationSearchAdmin, TidyTextMixin
from alliance.admin_compared import ComparedMixin
from alliance.admin_history import AuditedMixin, HistoryMixin
from alliance.admin_site import FindableMixin
from alliance.long_lists import NamedListMixin
from alliance.models import ApiKey, User

# Of a key that was pasted whole, and by itself.
_PREFIX = re.compile(r"(?:ca_)?(?P<prefix>[0-9a-z]{10})(?:_|$)")


@admin.register(User)
class UserAdmin(
    FindableMixin,
    NamedListMixin,
    ComparedMixin,
    AuditedMixin,
    ListedFiltersMixin,
    TidyTextMixin,
    HistoryMixin,
    ModelAdmin,
):
    list_display = ("email", "name", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_active")
    search_help_text = _("A part of a name or an e-mail address")
    fields = ("email", "name", "is_active", "is_staff", "groups", "is_superuser", "date_joined", "last_login")
    readonly_fields = ("email", "date_joined", "last_login")
    list_per_page = 50
    show_full_result_count = False
    icon_found = "person"
    rare = MappingProxyType({"is_staff__exact": "1", "is_active__exact": "0"})
    name_columns = ("name", "email")

    def named(self, text: str, **page: Any) -> list[int]:
        return names.users_named(text, **page)

    def find(self, request: HttpRequest, term: str) -> QuerySet[User]:
        found = names.users_named(term, most=self.MOST_FOUND_EVERYWHERE)
        return User.objects.filter(pk__in=found).order_by("-pk")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            # Stored in English by a migration.
            field.label_from_instance = lambda group: pgettext("group of staff", group.name)
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        # Ops see all tenants' rows, so only superusers may make a user ops.
        extra = () if request.user.is_superuser else ("is_staff", "groups", "is_superuser")
        return (*self.readonly_fields, *extra)


@admin.register(ApiKey)
class ApiKeyAdmin(OrganisationSearchAdmin):
    list_display = (
        "name",
        "organisation",
        "prefix",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_select_related = ("organisation",)
    ordering = ("-pk",)
    search_help_text = _("A key or its prefix, or an organisation's name or short name")
    exclude = ("secret_hash", "scopes", "resources", "networks", "warned_days")
    readonly_fields = ("permissions",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # The whole of it: under the policies no index is asked for the beginning of a text.
        if (key := _PREFIX.match(search_term.strip())) and (
            found := queryset.filter(prefix=key["prefix"])
        ).exists():
            return found, False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("Permissions"))
    def permissions(self, key: ApiKey) -> str:
        return key.permissions
