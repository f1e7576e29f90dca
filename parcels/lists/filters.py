"""The filters of parcel lists: the same for the portal, exports and the API."""

from datetime import date, timedelta
from typing import Any, ClassVar, Final, NamedTuple
from zoneinfo import ZoneInfo

import django_filters
from django import forms
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.city_fields import CityField
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.models import City
from alliance.tenancy import in_index_order
from couriers.homes.lists import parcel_ids
from parcels.bookings.models import Parcel
from parcels.bookings.querysets import ParcelQuerySet
from parcels.choices import ParcelStatus
from slas.choices import TierCode

_NUMBER_LENGTH = 16
# Filters without an index in list order; for the search, the index of references is not always used.
_IN_NO_INDEX = (
    "search", "status", "tier", "late", "due", "origin", "destination", "is_return", "has_return",
)  # fmt: skip
# The most parcels a page examines for matches: filters without an index examine each parcel.
LOOKED_AT: Final = 20_000


class Lateness(models.TextChoices):
    """Whether and how a parcel's delivery is late."""

    YES = "true", gettext_lazy("Late")
    OVERDUE = "overdue", gettext_lazy("Overdue now")
    DELIVERED = "delivered", gettext_lazy("Delivered late")
    NO = "false", gettext_lazy("Not late")


class Due(models.TextChoices):
    """The day on which a parcel still to come is due, at its destination."""

    TODAY = "today", gettext_lazy("Today")
    TOMORROW = "tomorrow", gettext_lazy("Tomorrow")


class YesNo(models.TextChoices):
    YES = "true", gettext_lazy("Yes")
    NO = "false", gettext_lazy("No")


class CityFilter(django_filters.CharFilter):
    field_class = CityField

    def filter(self, qs: Any, value: City | None) -> Any:
        return qs if value is None else qs.filter(**{self.field_name: value.pk})


class _Found(NamedTuple):
    """What is searched for, in the ways references are written, and the parcels found; None for many."""

    references: list[str]
    ids: list[int] | None


class ParcelFilterForm(forms.Form):
    """Parses the filters; the first day must not be after the last.

    Errors say what would be right: programs read them, too.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.ChoiceField):
                words = ", ".join(str(value) for value, _label in field.choices if value)  # type: ignore[misc, union-attr]
                message = _("This is not a valid choice. Choose from: %(words)s.") % {"words": words}
                field.error_messages["invalid_choice"] = message
            elif isinstance(field, forms.DateField):
                field.error_messages["invalid"] = _("Enter a date, such as 2026-11-22.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("booked_from"), cleaned.get("booked_to")
        if first and last and first > last:
            self.add_error("booked_to", _("The end date is before the start date."))
        return cleaned


class ParcelFilter(django_filters.FilterSet):
    """Filters of the parcel list. Dates are whole days in the reader's own time zone."""

    search = django_filters.CharFilter(
        method="by_search",
        max_length=80,
        label=gettext_lazy("Tracking number or reference"),
        help_text=gettext_lazy("A full tracking number in any spelling, or the start of a reference."),
    )
    status = django_filters.MultipleChoiceFilter(
        method="by_status", choices=ParcelStatus.choices, label=gettext_lazy("Status")
    )
    tier = django_filters.ChoiceFilter(
        method="by_tier",
        choices=TierCode.choices,
        label=gettext_lazy("Service"),
        empty_label=gettext_lazy("All services"),
    )
    late = django_filters.ChoiceFilter(
        method="by_lateness",
        choices=Lateness.choices,
        label=gettext_lazy("Promise"),
        empty_label=gettext_lazy("Late or not"),
    )
    due = django_filters.ChoiceFilter(
        method="by_due_day",
        choices=Due.choices,
        label=gettext_lazy("Due"),
        empty_label=gettext_lazy("Any day"),
    )
    is_return = django_filters.ChoiceFilter(
        method="by_being_a_return",
        choices=YesNo.choices,
        label=gettext_lazy("Is a return"),
        empty_label=gettext_lazy("Yes or no"),
    )
    has_return = django_filters.ChoiceFilter(
        method="by_having_a_return",
        choices=YesNo.choices,
        label=gettext_lazy("Has a return"),
        empty_label=gettext_lazy("Yes or no"),
    )
    origin = CityFilter(
        field_name="origin_id",
        max_length=80,
        label=gettext_lazy("From"),
        help_text=gettext_lazy("A city's name or code."),
    )
    destination = CityFilter(
        field_name="destination_id",
        max_length=80,
        label=gettext_lazy("To"),
        help_text=gettext_lazy("A city's name or code."),
    )
    booked_from = django_filters.DateFilter(
        method="by_first_day",
        label=gettext_lazy("Booked from"),
        help_text=gettext_lazy("First day, such as 2026-11-22."),
    )
    booked_to = django_filters.DateFilter(
        method="by_last_day",
        label=gettext_lazy("Booked until"),
        help_text=gettext_lazy("Last day, such as 2026-11-22."),
    )

    class Meta:
        model = Parcel
        form = ParcelFilterForm
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, all_organisations: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Whether the list has all organisations' parcels, as for ops, and not one member's.
        self.all_organisations = all_organisations

    def by_search(self, queryset: ParcelQuerySet, name: str, value: str) -> ParcelQuerySet:
        try:
            return queryset.filter(pk=parse_tracking_number(value))
        except InvalidTrackingNumber:
            pass
        # Filter by id, not by reference: the planner's statistics cover all merchants' references, and for
        # a prefix that is common there but rare in this list, it would scan the whole list.
        references, few = self._found
        return queryset.referenced(*references) if few is None else queryset.filter(pk__in=few)

    @property
    def is_few(self) -> bool:
        """Whether the search alone leaves few parcels: these are sorted instead of scanning the list.

        A rare prefix is read from the index of references; a common one is found while scanning the list.
        """
        return self._found.ids is not None

    @cached_property
    def _found(self) -> _Found:
        text = self.form.cleaned_data.get("search") if self.form.is_valid() else ""
        if not text:
            return _Found([], None)
        try:
            return _Found([], [parse_tracking_number(text)])
        except InvalidTrackingNumber:
            pass
        with in_index_order():
            if self.all_organisations:
                references = self.queryset.under_every_courier().spellings_of(text, order="")
            else:
                references = self.queryset.spellings_of(text)
        return _Found(references, self._ids_of(references))

    def _ids_of(self, references: list[str]) -> list[int] | None:
        """Return the parcels whose reference begins so; None if they are many."""
        ids: list[int] = []
        for reference in references:
            ids += self._some_of(reference)
            if len(ids) > LOOKED_AT:
                return None
        return ids

    def _some_of(self, reference: str) -> list[int]:
        """Return the parcels whose reference begins so, one more than are examined at most."""
        matches = self.queryset.referenced(reference)
        # A member's index is read in its order, only as far as needed. For all organisations no index has
        # that order: sorting would read all matches, so they stay in the order of the couriers' index.
        matches = (
            matches.under_every_courier().order_by()
            if self.all_organisations
            else matches.order_by("reference")
        )
        with in_index_order():
            return parcel_ids(matches[: LOOKED_AT + 1])

    @property
    def looks_at_each(self) -> bool:
        """Whether each parcel of the list must be examined for a match."""
        data = self.form.cleaned_data if self.form.is_valid() else {}
        return not self.is_few and any(data.get(name) for name in _IN_NO_INDEX)

    @property
    def among(self) -> ParcelQuerySet:
        """The parcels to examine: all those booked on the requested days."""
        data = self.form.cleaned_data
        parcels: ParcelQuerySet = self.queryset.booked_between(
            data["booked_from"], data["booked_to"], zone=_reader_zone()
        )
        return parcels

    def by_status(self, queryset: ParcelQuerySet, name: str, value: list[str]) -> ParcelQuerySet:
        return queryset.filter(status__in=value) if value else queryset

    def by_tier(self, queryset: ParcelQuerySet, name: str, value: str) -> ParcelQuerySet:
        return queryset.of_tier(value)

    def by_lateness(self, queryset: ParcelQuerySet, name: str, value: str) -> ParcelQuerySet:
        match value:
            case Lateness.OVERDUE:
                return queryset.overdue(now=timezone.now())
            case Lateness.DELIVERED:
                return queryset.delivered_late()
            case Lateness.NO:
                return queryset.not_late(now=timezone.now())
        return queryset.late(now=timezone.now())

    def by_due_day(self, queryset: ParcelQuerySet, name: str, value: str) -> ParcelQuerySet:
        return queryset.still_due(timezone.now() + timedelta(days=value == Due.TOMORROW))

    def by_being_a_return(self, queryset: ParcelQuerySet, name: str, value: str) -> ParcelQuerySet:
        return queryset.returns(are=value == YesNo.YES)

    def by_having_a_return(self, queryset: ParcelQuerySet, name: str, value: str) -> ParcelQuerySet:
        return queryset.returned(are=value == YesNo.YES)

    def by_first_day(self, queryset: ParcelQuerySet, name: str, value: date) -> ParcelQuerySet:
        return queryset.booked_between(value, None, zone=_reader_zone())

    def by_last_day(self, queryset: ParcelQuerySet, name: str, value: date) -> ParcelQuerySet:
        return queryset.booked_between(None, value, zone=_reader_zone())

    @property
    def is_active(self) -> bool:
        return any(self.data.get(name) for name in self.filters)

    @property
    def hint(self) -> str:
        """A hint if the search text is probably a mistyped tracking number; otherwise ""."""
        text = str(self.data.get("search", "")).strip()
        letters = "".join(filter(str.isalnum, text)).upper()
        if not letters.startswith("CA") or len(letters) != _NUMBER_LENGTH:
            return ""
        try:
            parse_tracking_number(text)
        except InvalidTrackingNumber:
            return _("This looks like a tracking number, but one character is mistyped.")
        return ""


def _reader_zone() -> ZoneInfo:
    return ZoneInfo(timezone.get_current_timezone_name())
