"""The form of an allocation rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from alliance.choices import OrganisationKind, OrganisationStatus
from alliance.cities import MOST_LETTERS, Province, UnknownCity, full_name, resolve_area
from alliance.models import City, Organisation
from alliance.number_fields import WholeNumberField
from alliance.web.edit_forms import OpenedWith
from alliance.wording import kilograms
from slas.allocation.models import AllocationRule
from slas.allocation.services import NAME_LENGTH, PREFIX_LENGTH, RuleTerms
from slas.allocation.texts import typed_province
from slas.choices import RuleAction
from slas.listed import TIERS
from slas.price_fields import PriceField
from slas.promises.models import ServiceTier
from slas.promises.prices import yuan

# The names that the service's errors have -> those of the form's fields.
FIELDS: Final = {"least_g": "least_weight", "most_g": "most_weight"}


class AreaField(forms.CharField):
    """A city by any of its names, or a province of China."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": MOST_LETTERS, "required": False, **options})

    def clean(self, value: Any) -> City | Province | None:
        text = super().clean(value)
        try:
            return resolve_area(text) if text else None
        except UnknownCity as unknown:
            raise forms.ValidationError(str(unknown), code=unknown.code) from None


class WeightField(forms.DecimalField):
    """A weight entered in kilograms and returned in grams."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(
            **{"required": False, "max_digits": 9, "decimal_places": 3, "widget": widget, **options}
        )

    def clean(self, value: Any) -> Any:
        weight = super().clean(value)
        return None if weight is None else int(weight * 1000)


@dataclass(frozen=True, slots=True)
class CourierChoice:
    """A courier in the form: its box, and the field of its share."""

    id: int
    name: str
    chosen: bool
    share: forms.BoundField


class RuleForm(OpenedWith, forms.Form):
    """A rule, with all fields of all actions; only those of the chosen action count."""

    name = forms.CharField(
        label=_("Name"), max_length=NAME_LENGTH, help_text=_("Quotes give it as their reason.")
    )
    tier = forms.ChoiceField(
        label=_("Service"),
        required=False,
        choices=lambda: [("", _("All services")), *((str(tier.pk), tier.name) for tier in TIERS.every())],
    )
    origin = AreaField(
        label=_("From"), help_text=_("A city or a province: Hangzhou, 杭州, Zhejiang province.")
    )
    destination = AreaField(label=_("To"), help_text=_("Leave empty what does not matter."))
    least_weight = WeightField(label=_("From weight (kg)"))
    most_weight = WeightField(label=_("Up to weight (kg)"))
    least_declared_value = PriceField(
        label=_("From declared value in yuan"),
        required=False,
        help_text=_("A parcel without one counts as 0."),
    )
    most_declared_value = PriceField(label=_("Up to declared value in yuan"), required=False)
    reference_prefix = forms.CharField(
        label=_("Reference begins with"),
        max_length=PREFIX_LENGTH,
        required=False,
        help_text=_("Capital and small letters differ."),
    )
    action = forms.ChoiceField(
        label=_("What the rule does"), choices=RuleAction.choices, widget=forms.RadioSelect
    )
    least_reliability = forms.DecimalField(
        label=_("At least so many percent on time"),
        required=False,
        min_value=0,
        max_value=100,
        decimal_places=1,
        help_text=_("On the lane, the lower bound as in quotes; leave it empty for the cheapest of all."),
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    highest_price = PriceField(
        label=_("Highest price in yuan"),
        required=False,
        help_text=_("Of a parcel, with the surcharge of its weight."),
    )
    stops = forms.BooleanField(label=_("Look at no further rule after this one"), required=False)
    is_active = forms.BooleanField(label=_("Switched on"), required=False, initial=True)

    def __init__(self, *args: Any, rule: AllocationRule | None, **kwargs: Any) -> None:
        self._rule = rule
        chosen = {int(pk): share for pk, share in rule.couriers.items()} if rule else {}
        active = Organisation.objects.filter(kind=OrganisationKind.COURIER, status=OrganisationStatus.ACTIVE)
        couriers = active | Organisation.objects.filter(kind=OrganisationKind.COURIER, pk__in=chosen)
        self._names = dict(couriers.order_by("name").values_list("pk", "name"))
        current = _values_of(rule) if rule else {"is_active": True, "action": RuleAction.CHEAPEST.value}
        current["couriers"] = [str(pk) for pk in chosen]
        current |= {f"share_{pk}": chosen.get(pk) or None for pk in self._names}
        super().__init__(*args, current=current, **kwargs)
        self.fields["couriers"] = forms.MultipleChoiceField(
            label=_("Couriers"),
            required=False,
            choices=[(str(pk), name) for pk, name in self._names.items()],
            error_messages={"invalid_choice": _("Unknown courier. Choose couriers of the alliance.")},
        )
        for pk in self._names:
            self.fields[f"share_{pk}"] = WholeNumberField(
                label=_("Share in percent"), required=False, min_value=0, max_value=100
            )

    @property
    def courier_choices(self) -> Iterator[CourierChoice]:
        chosen = {str(pk) for pk in self["couriers"].value() or ()}
        for pk, name in self._names.items():
            yield CourierChoice(pk, name, str(pk) in chosen, self[f"share_{pk}"])

    @property
    def terms(self) -> RuleTerms:
        data = self.cleaned_data
        reliability: Decimal | None = data["least_reliability"]
        return RuleTerms(
            name=data["name"],
            action=data["action"],
            tier=ServiceTier.objects.get(pk=data["tier"]) if data["tier"] else None,
            origin=data["origin"],
            destination=data["destination"],
            least_g=data["least_weight"],
            most_g=data["most_weight"],
            least_declared_fen=data["least_declared_value"],
            most_declared_fen=data["most_declared_value"],
            reference_prefix=data["reference_prefix"],
            couriers={int(pk): data[f"share_{pk}"] for pk in data["couriers"]},
            least_score=None if reliability is None else int(reliability * 10),
            most_fen=data["highest_price"],
            stops=data["stops"],
            is_active=data["is_active"],
        )


def _values_of(rule: AllocationRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "tier": str(rule.tier_id or ""),
        "origin": _typed(rule.origin, rule.origin_country, rule.origin_province),
        "destination": _typed(rule.destination, rule.destination_country, rule.destination_province),
        "least_weight": _kilograms(rule.least_g),
        "most_weight": _kilograms(rule.most_g),
        "least_declared_value": _yuan(rule.least_declared_fen),
        "most_declared_value": _yuan(rule.most_declared_fen),
        "reference_prefix": rule.reference_prefix,
        "action": rule.action,
        "least_reliability": f"{rule.least_score / 10:g}" if rule.least_score else "",
        "highest_price": yuan(rule.most_fen) if rule.most_fen else "",
        "stops": rule.stops,
        "is_active": rule.is_active,
    }


def _yuan(fen: int | None) -> str:
    return "" if fen is None else yuan(fen)


def _typed(city: City | None, country: str, province: str) -> str:
    if city is not None:
        return full_name(city)
    return typed_province(country, province) if province else ""


def _kilograms(grams: int | None) -> str:
    # Without thousands separators, which the field would not read.
    return kilograms(grams).replace(",", "") if grams else ""
