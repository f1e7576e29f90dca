"""The form in which a person says what each column of a file is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from django.forms import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.choices import OrganisationKind, OrganisationStatus
from alliance.cities import UnknownCity, resolve_city
from alliance.csv_files.columns import column_key
from alliance.models import Organisation
from alliance.numbers import whole_number
from parcels.booking_files.mappings import ADDRESS_WITH_CITY, JOINED, TARGETS, WEIGHT_KG, ColumnMapping
from parcels.bookings.rules import IfFull
from slas.choices import TierCode
from slas.promises.prices import InvalidAmount, fen_from_yuan

VALUE_FIELDS: Final = ("tier", "origin", "weight_g", "courier", "pickup_address", "if_full", "declared_value")
_OWN_WORDS: Final = {
    WEIGHT_KG: gettext_lazy("Weight in kilograms"),
    ADDRESS_WITH_CITY: gettext_lazy("Address, with the city in it"),
    "reference": gettext_lazy("Your own number"),
    "tier": gettext_lazy("Service"),
    "origin": gettext_lazy("City it leaves from"),
    "destination": gettext_lazy("City it goes to"),
    "weight_g": gettext_lazy("Weight in grams"),
    "recipient_name": gettext_lazy("Recipient's name"),
    "recipient_phone": gettext_lazy("Recipient's phone"),
    "recipient_address": gettext_lazy("Recipient's address"),
    "pickup_address": gettext_lazy("Pickup address"),
    "ready_at": gettext_lazy("Ready for pickup"),
    "courier": gettext_lazy("Courier"),
    "expected_deliver_by": gettext_lazy("Expected promise"),
    "expected_price": gettext_lazy("Expected price"),
    "if_full": gettext_lazy("When the day is full"),
    "pieces": gettext_lazy("Number of parcels"),
    "declared_value": gettext_lazy("Declared value"),
}


def label_of(target: str) -> str:
    return str(_OWN_WORDS[target])


def _couriers() -> QuerySet[Organisation]:
    active = {"kind": OrganisationKind.COURIER, "status": OrganisationStatus.ACTIVE}
    return Organisation.objects.filter(**active).order_by("name")


class ValuesForm(forms.Form):
    """What a template gives where a file, or a shop's order, says nothing."""

    tier = forms.ChoiceField(label=gettext_lazy("Service"), required=False)
    origin = forms.CharField(
        label=gettext_lazy("City it leaves from"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("Hangzhou, 杭州 or CN-HGH")}),
    )
    weight_g = forms.CharField(
        label=gettext_lazy("Weight in grams"),
        required=False,
        max_length=12,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "placeholder": "800"}),
    )
    courier = forms.ChoiceField(label=gettext_lazy("Courier"), required=False)
    pickup_address = forms.ChoiceField(label=gettext_lazy("Pickup address"), required=False)
    if_full = forms.ChoiceField(label=gettext_lazy("When the day is full"), required=False)
    declared_value = forms.CharField(
        label=gettext_lazy("Declared value in yuan"),
        required=False,
        max_length=16,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )

    def __init__(self, *args: Any, addresses: Sequence[str], nothing: str, **kwargs: Any) -> None:
        """`nothing` is what a choice is called that is left to what is read."""
        super().__init__(*args, **kwargs)
        options: dict[str, list[tuple[Any, Any]]] = {
            "tier": list(TierCode.choices),
            "courier": [(courier.public_id, courier.name) for courier in _couriers()],
            "pickup_address": [(name, name) for name in addresses],
            "if_full": [(IfFull.NEXT.value, _("Take the next day"))],
        }
        for name, known in options.items():
            self.fields[name].choices = [("", nothing), *known]  # type: ignore[attr-defined]

    @property
    def value_fields(self) -> list[BoundField]:
        return [self[name] for name in VALUE_FIELDS]

    @property
    def values(self) -> dict[str, str]:
        """The values that were given, as far as they are valid."""
        data: Mapping[str, Any] = self.cleaned_data
        return {name: data[name] for name in VALUE_FIELDS if data.get(name)}

    def clean_origin(self) -> str:
        text: str = self.cleaned_data["origin"]
        if text:
            try:
                resolve_city(text)
            except UnknownCity as unknown:
                raise forms.ValidationError(str(unknown)) from None
        return text

    def clean_weight_g(self) -> str:
        text: str = self.cleaned_data["weight_g"]
        if text and whole_number(text) is None:
            raise forms.ValidationError(_("Enter the weight in whole grams, such as 800."))
        return text

    def clean_declared_value(self) -> str:
        text: str = self.cleaned_data["declared_value"]
        if text:
            try:
                fen_from_yuan(text)
            except InvalidAmount as refusal:
                raise forms.ValidationError(refusal.message) from None
        return text


def add_styles(form: forms.Form) -> None:
    for field in form.fields.values():
        widget = field.widget
        kind = "form-select" if isinstance(widget, forms.Select) else "form-control"
        is_box = isinstance(widget, forms.CheckboxInput)
        widget.attrs["class"] = "form-check-input" if is_box else kind


class ColumnsForm(ValuesForm):
    """What each column of a file is, values for what it does not say, and a name to keep both under."""

    takes_numbers = forms.BooleanField(
        label=gettext_lazy("Numbers of orders never begin with a zero"),
        help_text=gettext_lazy("Otherwise a cell that is a number is rejected: spreadsheets drop zeros."),
        required=False,
    )
    one_row_each = forms.BooleanField(
        label=gettext_lazy("An order has a row for each of its articles"),
        help_text=gettext_lazy(
            "Only the first row of an order is booked. Otherwise its rows are parcels of one order."
        ),
        required=False,
    )
    save_as = forms.CharField(
        label=gettext_lazy("Save as a template"),
        help_text=gettext_lazy("Files with these columns are then read the same way. Empty: this file only."),
        required=False,
        max_length=80,
    )

    def __init__(
        self,
        *args: Any,
        names: Sequence[str],
        mapping: ColumnMapping,
        addresses: Sequence[str],
        **kwargs: Any,
    ) -> None:
        initial = {
            **mapping.values,
            "takes_numbers": mapping.takes_numbers,
            "one_row_each": mapping.one_row_each,
            **kwargs.get("initial", {}),
        }
        super().__init__(
            *args, addresses=addresses, nothing=_("As the file says"), **{**kwargs, "initial": initial}
        )
        self.names = names
        self._preferred = [column_key(name) for name, _target in mapping.columns]
        targets = {column_key(name): target for name, target in mapping.columns}
        choices = [("", _("Not used")), *((target, label_of(target)) for target in TARGETS)]
        for place, name in enumerate(names):
            field = forms.ChoiceField(choices=choices, required=False, label=name)
            field.initial = targets.get(column_key(name), "")
            self.fields[f"column_{place}"] = field
        add_styles(self)

    @property
    def columns(self) -> Iterator[tuple[str, BoundField]]:
        """Each column's name with its field."""
        for place, name in enumerate(self.names):
            yield name, self[f"column_{place}"]

    @property
    def boxes(self) -> list[BoundField]:
        return [self["takes_numbers"], self["one_row_each"]]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        chosen: dict[str, str] = {}
        for place, name in enumerate(self.names):
            target = cleaned.get(f"column_{place}", "")
            first = chosen.setdefault(target, name) if target else name
            # Of several phones the first that is there counts: of anything else one column.
            if first != name and target not in (*JOINED, "recipient_phone"):
                text = _("“%(first)s” is that already: choose one of the two.") % {"first": first}
                self.add_error(f"column_{place}", text)
        return cleaned

    def mapping(self) -> ColumnMapping:
        """What was chosen, as far as it is valid."""
        data: Mapping[str, Any] = self.cleaned_data
        pairs = [(name, data.get(f"column_{place}", "")) for place, name in enumerate(self.names)]
        # A shop's preferences stay: the recipient's own phone before the payer's.
        order = {key: place for place, key in enumerate(self._preferred)}
        pairs.sort(key=lambda pair: order.get(column_key(pair[0]), len(order)))
        return ColumnMapping(
            tuple((name, target) for name, target in pairs if name and target),
            self.values,
            bool(data.get("takes_numbers")),
            bool(data.get("one_row_each")),
        )
