"""Forms of manifests. They parse the input; the services check the rules."""

from typing import Any, Final

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from alliance.models import City
from alliance.portal.forms import FilterForm
from alliance.tenancy import Actor
from parcels.choices import ManifestState
from parcels.manifests.queries import Pickup, cities_without_address, couriers_of
from parcels.models import PickupAddress

_STATES: Final = (
    ManifestState.OPEN,
    ManifestState.RUNNING,
    ManifestState.HANDED_OVER,
    ManifestState.CANCELLED,
)
_DAY: Final = {"type": "date"}


class ManifestFilterForm(FilterForm):
    """The filters of the list, and a number to open."""

    number = forms.CharField(
        label=_("Scan or type a number"),
        required=False,
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), *((state.value, state.label) for state in _STATES)],
    )
    day = forms.DateField(
        label=_("Pickup day"), required=False, widget=forms.DateInput(attrs=_DAY, format="%Y-%m-%d")
    )


class ManifestForm(forms.Form):
    """Courier, place and day of a new manifest."""

    courier = forms.ChoiceField(label=_("Courier"))
    place = forms.ChoiceField(label=_("Pickup address"))
    day = forms.DateField(label=_("Pickup day"), widget=forms.DateInput(attrs=_DAY, format="%Y-%m-%d"))

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.couriers = couriers_of(actor)
        addresses = (
            PickupAddress.objects.visible_to(actor).select_related("city").order_by("-is_default", "pk")
        )
        places = [(f"a{each.pk}", f"{each.name} · {each.city}") for each in addresses]
        cities = {city.pk: city for city in cities_without_address(actor)}
        # Parcels may be booked from a city without an address.
        places += [(f"c{pk}", _without(city)) for pk, city in cities.items()]
        self.fields["courier"].choices = [(str(pk), name) for pk, name in self.couriers]  # type: ignore[attr-defined]
        self.fields["place"].choices = places  # type: ignore[attr-defined]
        self._places = {f"a{each.pk}": (each.city_id, each.pk) for each in addresses}
        self._places |= {f"c{pk}": (pk, None) for pk in cities}

    def pickup(self, actor: Actor) -> Pickup:
        data = self.cleaned_data
        return Pickup(actor.tenant_id, int(data["courier"]), *self._places[data["place"]], data["day"])


class PickUpForm(forms.Form):
    """What was different from the list."""

    missing = forms.CharField(
        label=_("Missing: on the list, not found"), required=False, max_length=200_000, widget=forms.Textarea
    )
    extra = forms.CharField(
        label=_("Handed over beside the list"), required=False, max_length=20_000, widget=forms.Textarea
    )


def numbers_in(data: QueryDict, name: str) -> list[str]:
    """Return numbers that were ticked, scanned or pasted, each once."""
    words = (word for text in data.getlist(name) for word in text.replace(",", "\n").split("\n"))
    return list(dict.fromkeys(word.strip() for word in words if word.strip()))


def _without(city: City) -> str:
    return str(_("%(city)s, booked without an address")) % {"city": city.name}
