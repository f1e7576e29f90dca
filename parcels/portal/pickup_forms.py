"""Forms of pickup requests: a window on a day, and what one side tells the other."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.clocks import local_clock, wall_clock
from alliance.portal.forms import FilterForm
from parcels.choices import PickupState
from parcels.pickups.rules import LONGEST, NOTE_LENGTH, SHORTEST, Window

# The window that a form begins with.
_USUAL = timedelta(hours=3)
_STEP = timedelta(minutes=30)
# Among the states of a list: what the reader's side has to answer.
TO_ANSWER: Final = "to_answer"


# What the service names otherwise than the form.
WINDOW_FIELDS: Final = {"starts_at": "start", "ends_at": "end"}


class WindowForm(forms.Form):
    """A day and two hours, by the clock of the pickup address."""

    day = forms.DateField(
        label=_("Day"),
        widget=forms.DateInput(attrs={"type": "date", "class": "form-control"}, format="%Y-%m-%d"),
    )
    start = forms.TimeField(
        label=pgettext_lazy("pickup", "From"),
        widget=forms.TimeInput(attrs={"type": "time", "class": "form-control"}, format="%H:%M"),
    )
    end = forms.TimeField(
        label=pgettext_lazy("pickup", "Until"),
        widget=forms.TimeInput(attrs={"type": "time", "class": "form-control"}, format="%H:%M"),
    )
    note = forms.CharField(
        label=_("Note"),
        help_text=_("For the other side, such as the gate or whom to ask for."),
        required=False,
        max_length=NOTE_LENGTH,
        widget=forms.TextInput(attrs={"class": "form-control"}),
    )

    def __init__(self, *args: Any, window: Window, **kwargs: Any) -> None:
        start, end = (local_clock(at, window.zone) for at in (window.starts_at, window.ends_at))
        kwargs["initial"] = {"day": start.date(), "start": start.time(), "end": end.time()}
        super().__init__(*args, **kwargs)

    def window_in(self, zone: str) -> Window:
        data = self.cleaned_data
        return Window(
            wall_clock(data["day"], data["start"], zone), wall_clock(data["day"], data["end"], zone), zone
        )


class DeclineForm(forms.Form):
    note = forms.CharField(
        label=_("Reason"),
        # The service says that a reason is needed, and why.
        required=False,
        max_length=NOTE_LENGTH,
        widget=forms.TextInput(attrs={"class": "form-control"}),
    )


class PickupFilterForm(FilterForm):
    day = forms.DateField(
        label=_("Day"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    state = forms.ChoiceField(
        label=_("Answer"),
        required=False,
        choices=[("", _("All")), (TO_ANSWER, _("Waits for your answer")), *PickupState.choices],
    )
    missed = forms.ChoiceField(
        label=pgettext_lazy("pickup windows", "Missed"),
        required=False,
        choices=[
            ("", _("All")),
            ("true", pgettext_lazy("pickup windows", "With missed parcels")),
            ("false", pgettext_lazy("pickup windows", "None missed")),
        ],
    )


class RoundForm(FilterForm):
    day = forms.DateField(
        label=_("Day"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


def usual_window(zone: str, *, now: datetime, ready_at: datetime, pickup_by: datetime | None) -> Window:
    """Return the window that a form begins with: the next three hours in which all parcels may go."""
    start = _next_step(max(now, ready_at), zone)
    end = start + _USUAL
    if pickup_by is not None and pickup_by > now + SHORTEST:
        end = min(end, pickup_by)
        # Of parcels promised for tomorrow, the window is tomorrow's.
        if pickup_by - start > LONGEST:
            start, end = pickup_by - _USUAL, pickup_by
        start = min(start, end - SHORTEST)
    if local_clock(end, zone).date() != local_clock(start, zone).date():
        nine = local_clock(start, zone).replace(hour=9, minute=0, second=0, microsecond=0)
        start = nine + timedelta(days=1)
        end = start + _USUAL
    return Window(start, end, zone)


def _next_step(moment: datetime, zone: str) -> datetime:
    local = local_clock(moment, zone)
    begun = local.replace(minute=0, second=0, microsecond=0)
    steps = -((begun - local) // _STEP)
    return begun + steps * _STEP
