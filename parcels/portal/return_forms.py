"""Forms of returns. They parse the input; the services check the rules."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django import forms
from django.utils.translation import gettext_lazy

from alliance.errors import InvalidInput
from parcels.choices import ReturnReason
from parcels.models import Parcel, PickupAddress
from parcels.returns.rules import LONGEST_WINDOW_DAYS, NOTE_LENGTH, offered
from parcels.revisions.proofs import DIGITS

_GRAMS: Final = 1000


class Given(NamedTuple):
    """Where a return goes, and what it weighs."""

    address: PickupAddress
    weight_g: int


class IssueForm(forms.Form):
    """Where a parcel comes back to, and its weight; what is not given is as the outward parcel's."""

    address = forms.ChoiceField(label=gettext_lazy("Returned to"))
    weight = forms.DecimalField(
        label=gettext_lazy("Weight (kg)"),
        min_value=0.001,
        max_value=1_000,
        decimal_places=3,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, data: Any, *, addresses: Sequence[PickupAddress], parcel: Parcel) -> None:
        self._addresses = {str(address.pk): address for address in addresses}
        first = next(iter(self._addresses), "")
        weight = None if parcel.weight_g is None else Decimal(parcel.weight_g) / _GRAMS
        self._known = bool(first) and weight is not None
        super().__init__(data, initial={"address": first, "weight": weight})
        choices = [(key, f"{each.name} · {each.city.name}") for key, each in self._addresses.items()]
        self.fields["address"].choices = choices  # type: ignore[attr-defined]

    @property
    def given(self) -> Given | None:
        """What to quote: what was entered, or what is known of the outward parcel."""
        if not self.is_bound:
            if not self._known:
                return None
            return Given(self._addresses[self.initial["address"]], int(self.initial["weight"] * _GRAMS))
        if not self.is_valid():
            return None
        data = self.cleaned_data
        return Given(self._addresses[data["address"]], max(round(data["weight"] * _GRAMS), 1))

    @property
    def params(self) -> dict[str, str]:
        """The same for the address of a page."""
        given = self.given
        if given is None:
            return {}
        return {"address": str(given.address.pk), "weight": f"{Decimal(given.weight_g) / _GRAMS:f}"}

    def refuse(self, error: InvalidInput) -> None:
        for problem in error.errors:
            self.add_problem(problem.message)
        if not error.errors:
            self.add_problem(error.detail)

    def add_problem(self, message: str) -> None:
        if self.is_bound:
            self.add_error(None, message)


class PolicyForm(forms.Form):
    """What recipients may ask for."""

    is_allowed = forms.BooleanField(
        label=gettext_lazy("Recipients may request a return on the tracking page"), required=False
    )
    window_days = forms.IntegerField(
        label=gettext_lazy("Days after delivery"),
        min_value=1,
        max_value=LONGEST_WINDOW_DAYS,
        widget=forms.NumberInput(attrs={"class": "ca-digits"}),
    )
    reasons = forms.MultipleChoiceField(
        label=gettext_lazy("Reasons to choose from"),
        choices=ReturnReason.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    note = forms.CharField(
        label=gettext_lazy("Note to recipients"),
        required=False,
        max_length=NOTE_LENGTH,
        help_text=gettext_lazy("Shown above the form: who pays, how to pack, what is excluded."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class DeclineForm(forms.Form):
    answer = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=NOTE_LENGTH,
        help_text=gettext_lazy("Anyone with the number reads it on the tracking page: no names or phones."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RecipientReturnForm(forms.Form):
    """The recipient's form on the tracking page: what is wanted, and the proof."""

    reason = forms.ChoiceField(label=gettext_lazy("Reason"), widget=forms.RadioSelect, required=False)
    note = forms.CharField(
        label=gettext_lazy("Anything the shop should know"),
        required=False,
        max_length=NOTE_LENGTH,
        help_text=gettext_lazy("Only the shop reads it."),
    )
    digits = forms.CharField(
        label=gettext_lazy("Last four digits of the recipient's phone number"),
        max_length=16,
        help_text=gettext_lazy("So that only you can do this."),
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "size": DIGITS, "class": "ca-digits"}
        ),
    )

    def __init__(self, data: Any = None, *, reasons: Sequence[str], is_asking: bool) -> None:
        super().__init__(data)
        if is_asking:
            self.fields["reason"].choices = offered(reasons)  # type: ignore[attr-defined]
        else:
            del self.fields["reason"], self.fields["note"]
