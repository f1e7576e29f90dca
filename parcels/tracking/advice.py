"""What a parcel's state means for its recipient: what happens next, what to do, whom to ask. Pure.

The question of the reader is "when does it come, and what can I do?": every state answers both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.clocks import ONE_DAY, local_clock
from alliance.dates import date_text
from alliance.durations import duration_text
from alliance.wording import sentences
from parcels.choices import ParcelStatus, ScanReason
from parcels.scans.places import public_place
from parcels.scans.rules import CONSIGNEE
from parcels.tracking.causes import Cause
from parcels.tracking.reasons import clause_of
from parcels.tracking.state import ParcelState
from slas.promises.texts import clock_text

S, R = ParcelStatus, ScanReason
# Statuses in which the shop knows more than the courier.
_WITH_THE_SHOP: Final = frozenset({S.BOOKED, S.RETURNING, S.RETURNED, S.LOST, S.CANCELLED})
# Nothing will be delivered.
_WITHOUT_DELIVERY: Final = _WITH_THE_SHOP - {S.BOOKED}
# What somebody must do before the next attempt, or before the parcel travels on.
_UNTIL: Final[dict[str, str | Promise]] = {
    R.CONSIGNEE_WRONG_ADDRESS: gettext_lazy("It cannot be delivered until the address is right."),
    R.MERCHANT_BAD_DATA: gettext_lazy("It cannot be delivered until the address is right."),
    R.CONSIGNEE_REFUSED: gettext_lazy("It goes back to the sender, unless you want it after all."),
    R.CONSIGNEE_RESCHEDULED: gettext_lazy("It comes at the time agreed with the courier."),
    R.MERCHANT_NOT_READY: gettext_lazy("It travels on once the sender has handed it over."),
    R.MERCHANT_PACKAGING: gettext_lazy("It travels on once the sender and the courier have settled this."),
    R.CUSTOMS_INSPECTION: gettext_lazy(
        "It travels on once customs release it; how long that takes is up to them."
    ),
    R.CUSTOMS_DOCUMENTS: gettext_lazy("It travels on once customs have the documents."),
}
_TO_DO: Final[dict[str, str | Promise]] = {
    R.CONSIGNEE_WRONG_ADDRESS: gettext_lazy("Give the shop your full address: it tells the courier."),
    R.MERCHANT_BAD_DATA: gettext_lazy("Give the shop your full address: it tells the courier."),
    R.CONSIGNEE_REFUSED: gettext_lazy("If you want the parcel after all, tell the courier today."),
    R.CONSIGNEE_UNREACHABLE: gettext_lazy(
        "Keep your phone at hand, and check with the shop that the number is right."
    ),
    R.CONSIGNEE_ABSENT: gettext_lazy("See that somebody is there to take it."),
    R.MERCHANT_NOT_READY: gettext_lazy("Ask the shop when it hands the parcel over."),
    R.MERCHANT_PACKAGING: gettext_lazy("Ask the shop whether it sends the goods again."),
    R.CUSTOMS_DOCUMENTS: gettext_lazy("Ask the shop to send the documents to the courier."),
}


@dataclass(frozen=True, slots=True)
class Advice:
    """The answers to a recipient's questions, as sentences."""

    title: str
    # When it comes; "" if nothing is to come.
    when: str
    what: str
    next: str
    to_do: Sequence[str]
    ask: str

    @property
    def summary(self) -> str:
        """Status and day in one line, for the page's title and messengers' previews."""
        return (
            _("%(status)s: %(when)s") % {"status": self.title, "when": self.when} if self.when else self.title
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """What the sentences name: the courier, the city of destination and its clock, and a choice of days."""

    courier: str
    city: str
    zone: str
    now: datetime
    may_choose_day: bool = False

    def day(self, at: datetime) -> str:
        return date_text(local_clock(at, self.zone), "DAY_FORMAT")

    def near_day(self, at: datetime) -> str:
        """A day with "today" or "tomorrow" before it."""
        day, today = local_clock(at, self.zone).date(), local_clock(self.now, self.zone).date()
        return _relative(day, today)

    def moment(self, at: datetime) -> str:
        # The same format as in the rest of the page.
        return date_text(local_clock(at, self.zone), "MOMENT_FORMAT")


def advice_of(state: ParcelState, reader: Reader) -> Advice:
    """Tell a recipient about a parcel."""
    return Advice(
        title=title_of(state),
        when=_when(state, reader),
        what=sentences(_what(state, reader), *_warnings(state, reader)),
        next=next_of(state, reader),
        to_do=_to_do(state, reader),
        ask=_ask(state, reader),
    )


def title_of(state: ParcelState) -> str:
    """The status in a few words; finer than its label where people need to know more."""
    cause = state.cause
    if state.is_presumed_lost:
        return _("Presumed lost")
    if cause is not None and cause.is_left_without_consent:
        return _("Left in a locker or station")
    if state.status == S.EXCEPTION:
        return _("Damaged") if cause is not None and cause.is_damage else _("On hold")
    if state.status == S.ATTEMPT_FAILED and (cause is None or not cause.was_at_the_door):
        return _("Not delivered yet")
    return str(state.status.label)


def next_of(state: ParcelState, reader: Reader) -> str:
    """What happens next, in a sentence or two."""
    names = {"courier": reader.courier, "city": reader.city}
    if state.is_presumed_lost:
        return _("If it turns up after all, this page shows it.")
    if state.status in (S.ATTEMPT_FAILED, S.EXCEPTION):
        return _after_trouble(state, reader)
    if state.silent_since is not None and state.arrival is None:
        return (
            _("%(courier)s has to find out where it is. If nothing is heard, it will count as lost.") % names
        )
    if state.status == S.OUT_FOR_DELIVERY and _is_earlier_day(state.status_at, reader):
        return _("It has to go out for delivery again.")
    return {
        S.BOOKED: _("Next, %(courier)s picks it up from the sender."),
        S.PICKED_UP: _("Next, it travels to %(city)s."),
        S.IN_TRANSIT: _("Next, it is delivered in %(city)s."),
        S.OUT_FOR_DELIVERY: _("The driver brings it on this round."),
        S.AVAILABLE_FOR_PICKUP: _(
            "It waits there until it is collected, and goes back when the time is over."
        ),
        S.DELIVERED: _("Nothing more: the delivery is complete."),
        S.RETURNING: _("It goes back to the sender and is not delivered any more."),
        S.RETURNED: _("Nothing more is delivered."),
        S.LOST: _("It is not expected any more. The shop settles the loss with the courier."),
        S.CANCELLED: _("Nothing is delivered."),
    }[state.status] % names


def _when(state: ParcelState, reader: Reader) -> str:
    """When it comes, as the headline of the page."""
    if state.loss is not None or state.status in _WITHOUT_DELIVERY:
        return ""
    if state.status == S.DELIVERED:
        return reader.moment(state.status_at)
    if state.status == S.AVAILABLE_FOR_PICKUP or (state.cause and state.cause.is_left_without_consent):
        return _("It can be collected now")
    arrival = state.arrival
    if arrival is None:
        return _("No delivery date is known at the moment")
    first, last = reader.near_day(arrival.p50_at), reader.near_day(arrival.p90_at)
    params = {"day": first, "clock": clock_text(local_clock(arrival.p50_at, reader.zone))}
    if arrival.is_promise:
        return _("Promised by %(day)s, %(clock)s") % params
    if arrival.precision != arrival.precision.DAY:
        return _("Expected %(day)s, around %(clock)s") % params
    if first == last:
        return _("Expected %(day)s") % params
    span = {"day": reader.day(arrival.p50_at), "last": reader.day(arrival.p90_at)}
    return _("Expected %(day)s to %(last)s") % span


def _what(state: ParcelState, reader: Reader) -> str:
    """What happened, in a sentence."""
    params = {"courier": reader.courier, "day": reader.day(state.status_at)}
    if state.is_presumed_lost:
        since = state.loss.since if state.loss else state.status_at
        return _("There has been no news for so long that the parcel counts as lost since %(day)s.") % {
            "day": reader.day(since)
        }
    if state.silent_since is not None:
        return _("The parcel was last seen %(at)s; there has been no news since.") % {
            "at": reader.moment(state.silent_since)
        }
    if state.cause is not None:
        return _of_cause(state.cause, params)
    if state.status == S.OUT_FOR_DELIVERY and _is_earlier_day(state.status_at, reader):
        return _("It was out for delivery on %(day)s and has not been delivered yet.") % params
    return {
        S.BOOKED: _("The sender has booked this parcel. %(courier)s has not picked it up yet."),
        S.PICKED_UP: _("%(courier)s has picked up the parcel from the sender."),
        S.IN_TRANSIT: _("The parcel is on its way between the courier's depots."),
        S.OUT_FOR_DELIVERY: _("The parcel is with the driver."),
        S.ATTEMPT_FAILED: _("The parcel could not be delivered."),
        S.AVAILABLE_FOR_PICKUP: _("The parcel is ready for collection at a locker or station."),
        S.DELIVERED: _("The parcel was delivered."),
        S.EXCEPTION: _("The parcel is on hold."),
        S.RETURNING: _("The parcel is on its way back to the sender."),
        S.RETURNED: _("The parcel is back with the sender since %(day)s."),
        S.LOST: _("%(courier)s reported the parcel lost on %(day)s."),
        S.CANCELLED: _("The sender cancelled the parcel before pickup."),
    }[state.status] % params


def _of_cause(cause: Cause, params: dict[str, str]) -> str:
    params = {**params, "reason": clause_of(cause.reason), "place": public_place(cause.facility)}
    if cause.is_damage:
        return _("The parcel was damaged on the way.")
    if cause.is_left_without_consent:
        if params["place"]:
            text = _("%(courier)s left the parcel in a locker or station without your consent: %(place)s.")
        else:
            text = _("%(courier)s left the parcel in a locker or station without your consent.")
        return text % params
    if cause.consent:
        if params["place"]:
            return _("The parcel is ready for collection: %(place)s.") % params
        return _("The parcel is ready for collection at a locker or station.")
    if cause.was_at_the_door:
        return _("%(courier)s tried to deliver on %(day)s: %(reason)s.") % params
    if cause.code == "attempt_failed":
        return _("The parcel could not be delivered on %(day)s: %(reason)s.") % params
    return _("On hold since %(day)s: %(reason)s.") % params


def _warnings(state: ParcelState, reader: Reader) -> list[str]:
    """What is not as it should be."""
    texts = []
    if state.is_overdue and state.promise is not None and state.promise.late_by is not None:
        params = {
            "at": reader.moment(state.promise.judged_by),
            "time": duration_text(state.promise.late_by),
        }
        texts.append(_("It was promised by %(at)s and is %(time)s overdue.") % params)
    return texts


def _after_trouble(state: ParcelState, reader: Reader) -> str:
    cause, names = state.cause, {"courier": reader.courier}
    if state.arrival is not None:
        return _("The next attempt is expected %(day)s.") % {"day": reader.near_day(state.arrival.p50_at)}
    if cause is None:
        return _("It is delivered as soon as this is settled.")
    if cause.is_damage:
        return (
            _("%(courier)s finds out whether it can still be delivered. Until then there is no date.") % names
        )
    if cause.is_left_without_consent:
        return _("It lies there until it is collected or brought to your door.")
    if cause.reason in _UNTIL:
        return str(_UNTIL[cause.reason])
    if cause.party == "courier":
        return _("%(courier)s sends it on as soon as it can.") % names
    if cause.party == CONSIGNEE:
        return _("%(courier)s waits to hear from the recipient.") % names
    return _("It travels on as soon as this is over.")


def _to_do(state: ParcelState, reader: Reader) -> list[str]:
    """What the reader can do, the most useful first."""
    names, cause = {"courier": reader.courier}, state.cause
    texts: list[str] = []
    if state.loss is not None:
        return [_("Ask the shop for a replacement or your money back.")]
    if cause is not None and cause.is_left_without_consent:
        return [
            _("Collect it with the code from the message of the locker or station."),
            _("Or ask %(courier)s to bring it to your door: you need not accept a locker.") % names,
        ]
    match state.status:
        case S.AVAILABLE_FOR_PICKUP:
            return [
                _("Collect it with the code from the message of the locker or station."),
                _("Without a message, ask %(courier)s for the code, the hours and until when it is kept.")
                % names,
            ]
        case S.DELIVERED:
            return [_("If you do not have it, ask at home and next door, then %(courier)s.") % names]
        case S.RETURNING | S.RETURNED:
            return [_("If you still want the goods, ask the shop to send them again.")]
        case S.CANCELLED:
            return [_("If you still want the goods, order them again.")]
        case S.EXCEPTION if cause is not None and cause.is_damage:
            return [
                _("Ask the shop for a replacement."),
                _("If it is brought all the same, note the damage before you sign, or refuse it."),
            ]
    if cause is not None and cause.reason in _TO_DO:
        texts.append(str(_TO_DO[cause.reason]))
    if state.is_overdue and state.status == S.BOOKED:
        texts.append(_("Ask the shop whether it has handed the parcel over."))
    elif state.is_overdue or state.silent_since is not None:
        texts.append(_("Ask %(courier)s where it is; after days without news, ask the shop, too.") % names)
    is_asked = cause is not None and cause.reason == R.CONSIGNEE_RESCHEDULED
    if reader.may_choose_day and (state.arrival is not None or is_asked):
        texts.append(_("If another day suits you better, choose it below."))
    return texts or [_("You need not do anything.")]


def _ask(state: ParcelState, reader: Reader) -> str:
    if state.status in _WITH_THE_SHOP or state.loss is not None:
        return _("Questions? Ask the shop you bought from.")
    return _("Questions? Ask %(courier)s and give the tracking number, or ask the shop.") % {
        "courier": reader.courier
    }


def _is_earlier_day(at: datetime, reader: Reader) -> bool:
    return local_clock(at, reader.zone).date() < local_clock(reader.now, reader.zone).date()


def _relative(day: date, today: date) -> str:
    params = {"day": date_text(day, "DAY_FORMAT")}
    if day == today:
        return _("today, %(day)s") % params
    if day == today + ONE_DAY:
        return _("tomorrow, %(day)s") % params
    return params["day"]
