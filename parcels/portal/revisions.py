"""Forms and views of the revisions of a delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.tenancy import Actor
from parcels.revisions.proofs import DIGITS
from parcels.revisions.services import RECIPIENT
from slas.choices import RevisionParty
from slas.models import Revision
from slas.promises.texts import clock_text
from slas.revisions.rules import DeliveryDay
from slas.revisions.services import REASON_LENGTH, RevisionRequest


@dataclass(frozen=True, slots=True)
class RevisionLine:
    """One revision, with the previous due time."""

    previous_due_at: datetime
    due_at: datetime
    who: str
    reason: str
    # Whether on-time is judged by this revision.
    judged: bool
    created_at: datetime
    # Who recorded it; empty for readers who may not know.
    label: str = ""


@dataclass(frozen=True, slots=True)
class RevisionView:
    """The first promise, the day agreed now, and the revisions between."""

    first_due_at: datetime
    agreed_due_at: datetime
    lines: Sequence[RevisionLine]

    @property
    def is_judged_anew(self) -> bool:
        return any(line.judged for line in self.lines)


class _DayForm(forms.Form):
    day = forms.DateField(label=gettext_lazy("New date"))

    def __init__(
        self, *args: Any, days: Sequence[DeliveryDay], zone: str, refusal: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.refusal = refusal
        # The widget offers the possible days; the service explains why another day is refused.
        self.fields["day"].widget = self.day_widget(choices=_choices(days, zone))
        self.has_days = bool(days)

    day_widget: type[forms.Select | forms.RadioSelect] = forms.Select

    @property
    def is_shown(self) -> bool:
        return self.has_days or bool(self.errors) or bool(self.refusal)


class RevisionForm(_DayForm):
    """The merchant's form for another day."""

    reason = forms.CharField(
        label=gettext_lazy("Reason, and who asked"),
        # The service says that a reason is needed, and why.
        required=False,
        max_length=REASON_LENGTH,
        help_text=gettext_lazy("Visible to the courier, not on the tracking page: no phone numbers."),
    )

    @property
    def revision_request(self) -> RevisionRequest:
        data = self.cleaned_data
        return RevisionRequest(data["day"], RevisionParty.MERCHANT, data["reason"])


class RecipientDayForm(_DayForm):
    """The recipient's form for another day, on the tracking page."""

    day_widget = forms.RadioSelect
    digits = forms.CharField(
        label=gettext_lazy("Last four digits of the recipient's phone number"),
        max_length=16,
        help_text=gettext_lazy("So that only you can change the delivery."),
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "size": DIGITS, "class": "ca-digits"}
        ),
    )

    @property
    def revision_request(self) -> RevisionRequest:
        return RevisionRequest(self.cleaned_data["day"], RevisionParty.RECIPIENT)


def revision_view(revisions: Sequence[Revision], *, reader: Actor | None = None) -> RevisionView | None:
    """Return the revisions to show; None if there are none. Without a reader: for the public."""
    if not revisions:
        return None
    return RevisionView(
        first_due_at=revisions[0].previous_due_at,
        agreed_due_at=revisions[-1].due_at,
        lines=[_line(revision, reader) for revision in revisions],
    )


def _line(revision: Revision, reader: Actor | None) -> RevisionLine:
    may_know = reader is not None and (reader.is_ops or reader.organisation_id == revision.merchant_id)
    return RevisionLine(
        previous_due_at=revision.previous_due_at,
        due_at=revision.due_at,
        who=who_text(revision, is_public=reader is None),
        # What people wrote is for the parties.
        reason=revision.reason if reader is not None else "",
        judged=revision.judged,
        created_at=revision.created_at,
        label=revision.label if may_know and revision.label != RECIPIENT else "",
    )


def who_text(revision: Revision, *, is_public: bool = False) -> str:
    """Who asked for another day; recipients know the merchant as the shop."""
    if revision.requested_by == RevisionParty.MERCHANT:
        return _("The shop") if is_public else _("The merchant")
    return _("The recipient")


def _choices(days: Sequence[DeliveryDay], zone: str) -> list[tuple[str, str]]:
    return [
        (
            item.day.isoformat(),
            _("%(day)s, by %(time)s")
            % {"day": date_text(item.day, "DAY_FORMAT"), "time": clock_text(local_clock(item.due_at, zone))},
        )
        for item in days
    ]
