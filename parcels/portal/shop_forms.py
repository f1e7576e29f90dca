"""Forms of connected shops: a shop with its template's values, and the filters of its messages."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from alliance.portal.forms import FilterForm
from parcels.bookings.rules import IfFull
from parcels.choices import BooksOn, ShopKind, ShopOutcome
from parcels.models import ConnectedShop
from parcels.portal.booking_column_forms import ValuesForm, add_styles
from parcels.shops.rules import LEAST_SECRET, MOST_SECRET, NAME_LENGTH, PREFIX_LENGTH
from parcels.shops.services.shops import ShopDraft

_OF_SHOP: Final = ("kind", "name", "books_on", "secret", "reference_prefix")


class ShopForm(ValuesForm):
    """A shop, and what its orders do not say."""

    kind = forms.ChoiceField(label=gettext_lazy("Shop program"), choices=ShopKind.choices)
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=NAME_LENGTH,
        help_text=gettext_lazy("What your people call the shop."),
    )
    books_on = forms.ChoiceField(
        label=gettext_lazy("Book an order"), choices=BooksOn.choices, initial=BooksOn.PAID
    )
    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        min_length=LEAST_SECRET,
        max_length=MOST_SECRET,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    # Not `prefix`, which is a form's own.
    reference_prefix = forms.CharField(
        label=gettext_lazy("Prefix of the parcels' references"),
        required=False,
        max_length=PREFIX_LENGTH,
        help_text=gettext_lazy("For several shops whose orders may have the same number: A- makes A-1001."),
    )

    def __init__(
        self,
        *args: Any,
        addresses: Sequence[str],
        shop: ConnectedShop | None = None,
        values: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        initial: dict[str, Any] = {"if_full": IfFull.NEXT.value}
        if shop is not None:
            of_template = shop.template.values if shop.template else {}
            initial = {"name": shop.name, "books_on": shop.books_on, "reference_prefix": shop.prefix}
            initial |= of_template
        super().__init__(
            *args, addresses=addresses, nothing=_("Choose"), initial={**initial, **(values or {})}, **kwargs
        )
        self.fields["tier"].required = self.fields["weight_g"].required = True
        self.fields["weight_g"].help_text = _("Used when the shop sends no weight; WooCommerce never does.")
        self._choose("courier", _("The best one, by your allocation rules"))
        self._choose("pickup_address", _("None"))
        self._choose("if_full", _("Reject the order"))
        secret = self.fields["secret"]
        if shop is None:
            secret.help_text = _(
                "Shopify shows it below the list of its webhooks once there is one: leave it empty until "
                "then. For WooCommerce, empty: we make one for you."
            )
        else:
            del self.fields["kind"]
            secret.help_text = _("Empty: it stays as it is.") if shop.sealed else _("Copy it from the shop.")
        add_styles(self)

    def _choose(self, name: str, nothing: str) -> None:
        field: Any = self.fields[name]
        field.choices = [("", nothing), *field.choices[1:]]

    @property
    def shop_fields(self) -> list[BoundField]:
        return [self[name] for name in _OF_SHOP if name in self.fields]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if "origin" in data and not data["origin"] and not data.get("pickup_address"):
            self.add_error("origin", _("Enter the city, or choose a pickup address."))
        return data

    @property
    def draft(self) -> ShopDraft:
        data = self.cleaned_data
        return ShopDraft(
            data["name"],
            data.get("kind", ""),
            data["books_on"],
            data["reference_prefix"],
            data["secret"],
            self.values,
        )


class MessageFilterForm(FilterForm):
    """Which messages of a shop are listed."""

    outcome = forms.ChoiceField(
        label=pgettext_lazy("shop", "What became of it"),
        choices=[("", gettext_lazy("All")), *ShopOutcome.choices],
        required=False,
    )
    number = forms.CharField(label=gettext_lazy("Order number"), required=False, max_length=64)
