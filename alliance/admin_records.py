"""The admin of the kernel's records: audit entries, events, heartbeats."""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from alliance import audit
from alliance.admin import OrganisationSearchAdmin, ReadOnlyAdmin, UncountedAdmin
from alliance.admin_words import actor_text, detail_text, object_link, object_names
from alliance.events import Topic
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.long_lists import OneOrderList
from alliance.models import AuditEntry, Event, Heartbeat, Organisation, User
from alliance.names import users_named
from alliance.wording import code_text

# Ops that the audit's filter names, and letters of a detail that its list shows.
MOST_STAFF, LETTERS_SHOWN = 50, 60


class PersonFilter(admin.SimpleListFilter):
    """Ops by name; the list itself links to the entries of anybody else."""

    title = _("person")
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # In the order of the index of staff: in that of addresses, all users would be read for fifty.
        staff = User.objects.filter(is_staff=True).order_by("pk")[:MOST_STAFF]
        return sorted(((str(user.pk), user.email) for user in staff), key=itemgetter(1))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        return queryset.filter(user_id=int(chosen)) if chosen.isdecimal() and len(chosen) < 19 else queryset


class ActionFilter(admin.SimpleListFilter):
    """What was done: every verb that an entry has."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((verb, code_text(verb)) for verb in audit.verbs()), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(verb=self.value()) if self.value() else queryset


class AuditList(OneOrderList):
    """Names what the entries of a page are about, all at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        entries: list[Any] = list(self.result_list)
        self.result_list = entries
        names = object_names(request, entries)
        for entry in entries:
            entry.object_name = names.get((entry.object_type, entry.object_id), "")


@admin.register(AuditEntry)
class AuditEntryAdmin(OrganisationSearchAdmin):
    list_display = ("at", "person", "verb_text", "object_text", "organisation_name", "in_short")
    list_filter = (PersonFilter, ActionFilter)
    fields = (
        "at", "person", "verb_text", "object_text", "organisation_name", "details", "request_id",
    )  # fmt: skip
    readonly_fields = ("person", "verb_text", "object_text", "organisation_name", "details")
    search_help_text = _(
        "A tracking number, an e-mail address, an organisation, or an object with its id such as closure 12"
    )
    # Ordered by id: the time of an entry has no index.
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        name = Organisation.objects.filter(pk=OuterRef("organisation_id")).values("name")
        return super().get_queryset(request).annotate(name_of_organisation=Subquery(name))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[OneOrderList]:
        return AuditList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            names = object_names(request, [entry])
            entry.object_name = names.get((entry.object_type, entry.object_id), "")
        return entry

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if "@" in search_term:
            return queryset.filter(user_id__in=users_named(search_term)), False
        try:
            kind, number = "parcel", str(parse_tracking_number(search_term))
        except InvalidTrackingNumber:
            kind, _space, number = search_term.strip().partition(" ")
        entries = queryset.filter(object_type=kind, object_id=number)
        # Two words may also be an organisation's name.
        if number and entries.exists():
            return entries, False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("verb"))
    def verb_text(self, entry: AuditEntry) -> str:
        return code_text(entry.verb)

    @admin.display(description=_("object"))
    def object_text(self, entry: Any) -> str:
        return object_link(entry, entry.object_name)

    @admin.display(description=_("person"))
    def person(self, entry: AuditEntry) -> str:
        if entry.user_id is None:
            return actor_text(entry)
        url = f"{reverse('admin:alliance_auditentry_changelist')}?person={entry.user_id}"
        return format_html('<a class="text-primary-600" href="{}">{}</a>', url, entry.actor_label)

    @admin.display(description=_("organisation"))
    def organisation_name(self, entry: Any) -> str:
        return entry.name_of_organisation or "–"

    @admin.display(description=_("detail"))
    def in_short(self, entry: AuditEntry) -> str:
        return Truncator(detail_text(entry.detail)).chars(LETTERS_SHOWN)

    @admin.display(description=_("detail"))
    def details(self, entry: AuditEntry) -> str:
        return detail_text(entry.detail) or "–"


class TopicFilter(admin.SimpleListFilter):
    title = _("topic")
    parameter_name = "topic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((topic.value, code_text(topic.value)) for topic in Topic), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(topic=self.value()) if self.value() else queryset


class EventList(OneOrderList):
    """Names the parties of a page's events, all at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        name_parties(self.result_list)


def name_parties(events: Iterable[Any]) -> None:
    """Give events the names of their parties, which on a cluster are on another node."""
    listed = list(events)
    ids = {pk for event in listed for pk in (event.merchant_id, event.courier_id) if pk is not None}
    names = dict(Organisation.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
    for event in listed:
        event.merchant_name = names.get(event.merchant_id, "–")
        event.courier_name = names.get(event.courier_id, "–")


@admin.register(Event)
class EventAdmin(UncountedAdmin):
    list_display = ("id", "topic_text", "at", "parcel", "merchant", "courier")
    list_filter = (TopicFilter,)
    fields = ("topic_text", "at", "parcel", "merchant", "courier", "content")
    readonly_fields = ("topic_text", "parcel", "merchant", "courier", "content")
    ordering = ("-at", "-id")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[OneOrderList]:
        return EventList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        event = super().get_object(request, object_id, from_field)
        if event is not None:
            name_parties([event])
        return event

    @admin.display(description=_("parcel"))
    def parcel(self, event: Event) -> str:
        return tracking_number(event.parcel_id) if event.parcel_id > 0 else "–"

    @admin.display(description=_("merchant"))
    def merchant(self, event: Any) -> str:
        return event.merchant_name

    @admin.display(description=_("courier"))
    def courier(self, event: Any) -> str:
        return event.courier_name

    @admin.display(description=_("content"))
    def content(self, event: Event) -> str:
        return detail_text(event.payload) or "–"

    @admin.display(description=_("topic"))
    def topic_text(self, event: Event) -> str:
        return code_text(event.topic)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name_text", "at", "detail_text")
    fields = ("name_text", "at", "detail_text")
    readonly_fields = ("name_text", "detail_text")

    @admin.display(description=_("detail"))
    def detail_text(self, heartbeat: Heartbeat) -> str:
        return detail_text(heartbeat.detail) or "–"

    @admin.display(description=_("name"), ordering="name")
    def name_text(self, heartbeat: Heartbeat) -> str:
        return code_text(heartbeat.name)
