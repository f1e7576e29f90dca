"""The form of scorecard rules: one field per weight, one line per band."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from alliance.errors import InvalidInput
from slas.admin.based_on import base_problem
from slas.admin.tier_forms import text_input
from slas.choices import ScoreComponent
from slas.models import ScoreRules
from slas.scorecards.rules import EARNED, month_after
from slas.scorecards.services.versions import NOTE_LENGTH, RulesDraft, first_month_open

# The number of months that can be chosen as the start.
MONTHS_AHEAD = 12
# The parts of the stored rules, and the prefixes of their fields.
PREFIXES = {"weights": "weight_", "bands": "bands_", "grades": "grade_"}


class RulesForm(forms.Form):
    """Rules valid from a month on. Errors are shown at the fields."""

    minimum_volume = forms.IntegerField(
        label=gettext_lazy("Minimum deliveries for a grade"), widget=text_input("number")
    )
    valid_from = forms.TypedChoiceField(
        label=gettext_lazy("From month"),
        coerce=date.fromisoformat,
        help_text=gettext_lazy("Earlier months keep their rules."),
        widget=UnfoldAdminSelectWidget,
    )
    note = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=NOTE_LENGTH,
        help_text=gettext_lazy("Published with the rules."),
        widget=text_input(),
    )
    # The rules of the preview: only rules that were previewed can be applied.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, newest: ScoreRules, now: datetime) -> None:
        super().__init__(data, initial=_values_of(newest))
        self._newest = newest
        for component in ScoreComponent:
            self.fields[f"weight_{component.value}"] = forms.IntegerField(
                label=component.label, widget=text_input("number", min=0, max=100)
            )
            self.fields[f"bands_{component.value}"] = forms.CharField(
                label=component.label, widget=UnfoldAdminTextareaWidget(attrs={"rows": 6})
            )
        for grade in EARNED:
            self.fields[f"grade_{grade.value}"] = forms.IntegerField(
                label=grade.label, widget=text_input("number", min=0, max=100)
            )
        first = max(first_month_open(now), month_after(newest.valid_from))
        months = [month_after(first, ahead) for ahead in range(MONTHS_AHEAD)]
        choices = [(month.isoformat(), formats.date_format(month, "YEAR_MONTH_FORMAT")) for month in months]
        self.fields["valid_from"].choices = choices  # type: ignore[attr-defined]
        # Errors of the weights as a whole.
        self.weights_errors: list[str] = []

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for component in ScoreComponent:
            name = f"bands_{component.value}"
            if name in cleaned:
                try:
                    cleaned[name] = [_read_band(number, line) for number, line in _lines(cleaned[name])]
                except forms.ValidationError as error:
                    self.add_error(name, error)
        self._check_base(cleaned.pop("based_on", None))
        return cleaned

    def _check_base(self, based_on: int | None) -> None:
        """Refuse the form once if rules were added since the page was opened."""
        newest = self._newest
        if based_on is None or based_on == newest.pk:
            return
        base = ScoreRules.objects.filter(pk=based_on).first()
        self.data = self.data.copy()  # type: ignore[attr-defined]
        self.data["based_on"] = newest.pk  # type: ignore[index]
        before = _values_of(base) if base else {}
        self.add_error(None, base_problem(self, base, newest, before, _values_of(newest)))

    @property
    def draft(self) -> RulesDraft:
        """The rules as they would be stored; unknown names are included, so that the service refuses them by
        name."""
        parts = {
            part: {
                name.removeprefix(prefix): self.cleaned_data.get(name, ())
                for name in (*self.fields, *self.data)
                if name.startswith(prefix)
            }
            for part, prefix in PREFIXES.items()
        }
        return RulesDraft(**parts, minimum_volume=self.cleaned_data["minimum_volume"])

    @property
    def fingerprint(self) -> str:
        """A hash of the rules in the form, to recognise the preview made from them."""
        text = json.dumps(asdict(self.draft), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def show(self, error: InvalidInput) -> None:
        """Add a service's errors to their fields."""
        for problem in error.errors:
            _empty, part, *rest = problem.pointer.split("/")
            name = f"{PREFIXES[part]}{rest[0]}" if rest else part
            if name == "weights":
                self.weights_errors.append(problem.message)
            else:
                self.add_error(name if name in self.fields else None, problem.message)
        if not error.errors:
            self.add_error(None, error.detail)

    def fields_of(self, part: str) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(PREFIXES[part])]

    @property
    def weights(self) -> list[forms.BoundField]:
        return self.fields_of("weights")

    @property
    def bands(self) -> list[forms.BoundField]:
        return self.fields_of("bands")

    @property
    def grades(self) -> list[forms.BoundField]:
        return self.fields_of("grades")


def _values_of(version: ScoreRules) -> dict[str, Any]:
    """The initial values: the rules of the newest version."""
    bands = {name: "\n".join(map(_band_text, rows)) for name, rows in version.bands.items()}
    return {
        "based_on": version.pk,
        **{f"weight_{name}": weight for name, weight in version.weights.items()},
        **{f"bands_{name}": text for name, text in bands.items()},
        **{f"grade_{name}": least for name, least in version.grades.items()},
        "minimum_volume": version.minimum_volume,
    }


def _band_text(row: list[Any]) -> str:
    threshold, points = row
    percent = (Decimal(str(threshold)) * 100).normalize()
    return f"{percent:f} {points}"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _read_band(number: int, line: str) -> list[float | int]:
    """Parse the format of `_band_text`: a share in percent, then the points."""
    try:
        share, points = line.replace("%", " ").split()
        percent = Decimal(share)
        if not percent.is_finite():
            raise ValueError(share)
        # Through a decimal: 97.3 % is then exactly the number 0.973 that a rate of 973 in 1,000 is.
        return [float(percent / 100), int(points)]
    except (ValueError, InvalidOperation):
        message = _("Line %(number)d: enter a percentage and points, such as 98 100.") % {"number": number}
        raise forms.ValidationError(message, code="invalid") from None
