"""The form of a version of a tier's rules."""

from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from alliance.errors import AllianceError
from slas.admin.based_on import BasedOnForm
from slas.models import ServiceTier, TierVersion
from slas.promises.prices import InvalidAmount, fen_from_yuan, yuan
from slas.promises.rule_texts import WEEKDAYS
from slas.promises.services.versions import VersionRules


def text_input(kind: str = "text", **attrs: Any) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs={"type": kind, **attrs})


def add_errors(form: forms.Form, error: AllianceError) -> None:
    """Add a service's errors to the fields of a form."""
    for item in error.errors:
        form.add_error(item.field if item.field in form.fields else None, str(item.message))
    if not error.errors:
        form.add_error(None, error.detail)


class VersionForm(BasedOnForm):
    """The rules of a tier from a moment on."""

    tier = forms.ModelChoiceField(
        ServiceTier.objects.all(), label=gettext_lazy("Tier"), widget=UnfoldAdminSelectWidget
    )
    valid_from = forms.DateTimeField(
        label=gettext_lazy("Valid from"),
        help_text=gettext_lazy("Bookings from then on use these rules. Server time."),
        widget=text_input("datetime-local"),
    )
    pickup_by = forms.TimeField(label=gettext_lazy("Pickup by"), widget=text_input("time"))
    deliver_by = forms.TimeField(label=gettext_lazy("Deliver by"), widget=text_input("time"))
    days_in_transit = forms.IntegerField(
        label=gettext_lazy("Days in transit"), min_value=0, max_value=60, widget=text_input("number")
    )
    delivery_weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Weekdays delivered"),
        choices=list(enumerate(WEEKDAYS)),
        coerce=int,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    works_on_holidays = forms.BooleanField(
        label=gettext_lazy("Works on public holidays"), required=False, widget=UnfoldBooleanSwitchWidget
    )
    weight_bands = forms.CharField(
        label=gettext_lazy("Price by weight"),
        help_text=gettext_lazy("One band per line: the upper limit in grams and the surcharge in yuan."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 7}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hint = _("A time such as 18:00; -1 18:00 means the day before. Empty: no pickup that day.")
        for day, name in enumerate(WEEKDAYS):
            self.fields[f"cut_off_{day}"] = forms.CharField(
                label=_("Cut-off, %(weekday)s") % {"weekday": name},
                required=False,
                help_text=hint if day == 0 else "",
                widget=text_input(),
            )
        self.order_fields(["tier", "valid_from", *(f"cut_off_{day}" for day in range(7))])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        cut_offs: dict[str, dict[str, Any]] = {}
        for day in range(7):
            text = cleaned.pop(f"cut_off_{day}", "").strip()
            try:
                if text:
                    cut_offs[str(day)] = read_cut_off(text)
            except ValueError:
                self.add_error(f"cut_off_{day}", _("Enter a time such as 18:00, or -1 18:00."))
        cleaned["cut_offs"] = cut_offs
        if tier := cleaned.get("tier"):
            self.check_base(TierVersion.objects.filter(tier=tier))
        return cleaned

    def clean_weight_bands(self) -> list[dict[str, int]]:
        lines = self.cleaned_data["weight_bands"].splitlines()
        return [_read_band(number, line) for number, line in enumerate(lines, 1) if line.strip()]

    @staticmethod
    def values_of(version: TierVersion) -> dict[str, Any]:
        return values_of(version)

    @property
    def rules(self) -> VersionRules:
        return VersionRules(**{name: self.cleaned_data[name] for name in VersionRules.__slots__})


def values_of(version: TierVersion) -> dict[str, Any]:
    """The initial values: the rules of an earlier version."""
    bands = [f"{band['up_to_g']} {yuan(band['surcharge_fen'])}" for band in version.weight_bands]
    return {
        "based_on": version.pk,
        "tier": version.tier_id,
        "pickup_by": version.pickup_by.strftime("%H:%M"),
        "deliver_by": version.deliver_by.strftime("%H:%M"),
        "days_in_transit": version.days_in_transit,
        "delivery_weekdays": version.delivery_weekdays or list(range(7)),
        "works_on_holidays": version.works_on_holidays,
        "weight_bands": "\n".join(bands),
        **{f"cut_off_{day}": cut_off_text(cut_off) for day, cut_off in version.cut_offs.items() if cut_off},
    }


def cut_off_text(cut_off: dict[str, Any]) -> str:
    offset = int(cut_off.get("day_offset", 0))
    return f"{offset} {cut_off['time']}" if offset else str(cut_off["time"])


def read_cut_off(text: str) -> dict[str, Any]:
    """Parse the format of `cut_off_text`. Raises ValueError for anything else."""
    offset, _space, clock = text.rpartition(" ")
    if offset.strip() not in ("", "0", "-1"):
        raise ValueError(text)
    return {"time": time.fromisoformat(clock).strftime("%H:%M"), "day_offset": int(offset or 0)}


def _read_band(number: int, line: str) -> dict[str, int]:
    try:
        grams, surcharge = line.split()
        return {"up_to_g": int(grams), "surcharge_fen": fen_from_yuan(surcharge)}
    except (ValueError, InvalidAmount):
        message = _("Line %(number)d: enter grams and yuan, such as 3000 3.00.") % {"number": number}
        raise forms.ValidationError(message, code="invalid") from None
