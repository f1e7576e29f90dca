"""What a parcel's state means for its recipient: what happens next, what to do, whom to ask. Pure.

The question of the reader is "when does it come, and what can I do?": every state answers both.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import msgspec
from django.utils.translation import gettext as _

from alliance.clocks import ONE_DAY, local_clock
from alliance.dates import date_text
from alliance.durations import duration_text
from alliance.wording import sentences
from parcels.choices import ParcelStatus, ScanReason
from parcels.scans.places import public_place
from parcels.scans.rules import CONSIGNEE, ScanFact
from parcels.tracking.causes import Cause
from parcels.tracking.notes import contradiction_text, seen_text
from parcels.tracking.reasons import OTHERS_FIRST, TO_DO, UNTIL, clause_of
from parcels.tracking.state import ParcelState
from parcels.tracking.status_texts import HAPPENED, NEXT
from slas.promises.texts import clock_text

S, R = ParcelStatus, ScanReason
# Statuses in which the shop knows more than the courier.
_WITH_THE_SHOP: Final = frozenset({S.BOOKED, S.RETURNING, S.RETURNED, S.LOST, S.CANCELLED})
# Nothing will be delivered.
_WITHOUT_DELIVERY: Final = _WITH_THE_SHOP - {S.BOOKED}
# Lockers and stations keep a parcel for some days only.
_LONG_COLLECTABLE: Final = timedelta(days=3)


class Advice(msgspec.Struct, frozen=True):
    """The answers to a recipient's questions, as sentences; `ask` is "" if `to_do` names whom to ask."""

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


class Reader(msgspec.Struct, frozen=True):
    """What the sentences name: the courier, the city of destination and its clock, and a choice of days."""

    courier: str
    city: str
    zone: str
    now: datetime
    may_choose_day: bool = False
    # What the scans say beside the status, for the recipient's page.
    last_scan: ScanFact | None = None
    was_damaged: bool = False
    contradiction: str = ""

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
        what=what_of(state, reader),
        next=next_of(state, reader),
        to_do=to_do_of(state, reader),
        ask=ask_of(state, reader),
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
    is_attempted = state.status == S.ATTEMPT_FAILED
    if state.round_is_over or (is_attempted and (cause is None or not cause.was_at_the_door)):
        return _("Not delivered yet")
    return str(state.status.label)


def day_helps(state: ParcelState) -> bool:
    """Whether another delivery day is of use: not while something else keeps the parcel from coming."""
    cause = state.cause
    if state.status == S.EXCEPTION:
        return cause is not None and cause.reason == R.CONSIGNEE_RESCHEDULED
    return cause is None or cause.reason not in OTHERS_FIRST


def next_of(state: ParcelState, reader: Reader) -> str:
    """What happens next, in a sentence or two."""
    names = {"courier": reader.courier, "city": reader.city}
    if state.is_presumed_lost:
        return _("If it turns up, this page will show it.")
    if state.comes_back:
        return _("It goes back to the sender under another number.")
    if state.status in (S.ATTEMPT_FAILED, S.EXCEPTION):
        return _after_trouble(state, reader)
    if state.round_is_over:
        return _("It has to go out for delivery again.")
    if state.silent_since is not None and state.arrival is None and state.status != S.RETURNING:
        return (
            _("%(courier)s has to find out where it is. If nothing is heard, it will count as lost.") % names
        )
    return str(NEXT[state.status]) % names


def _when(state: ParcelState, reader: Reader) -> str:
    """When it comes, as the headline of the page."""
    if state.loss is not None or state.comes_back or state.status in _WITHOUT_DELIVERY:
        return ""
    if state.status == S.DELIVERED:
        return reader.moment(state.status_at)
    if state.status == S.AVAILABLE_FOR_PICKUP or _lies_in_a_locker(state):
        is_long = reader.now - state.status_at > _LONG_COLLECTABLE
        return _("Collect it as soon as you can") if is_long else _("It can be collected now")
    arrival = state.arrival
    if arrival is None:
        if state.cause is not None and state.cause.reason == R.CONSIGNEE_RESCHEDULED:
            return _("On the day you agreed with the courier")
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


def what_of(state: ParcelState, reader: Reader) -> str:
    """What happened, and what is not as it should be."""
    return sentences(_what(state, reader), *_warnings(state, reader))


def _what(state: ParcelState, reader: Reader) -> str:
    """What happened, in a sentence or two."""
    if state.is_presumed_lost:
        since = state.loss.since if state.loss else state.status_at
        return _("There has been no news for so long that the parcel has counted as lost since %(day)s.") % {
            "day": reader.day(since)
        }
    if state.cause is not None:
        silence = _("There has been no news since.") if state.silent_since is not None else ""
        return sentences(
            _of_cause(state.cause, {"courier": reader.courier, "day": reader.day(state.status_at)}), silence
        )
    if state.round_is_over:
        return _("It was out for delivery on %(day)s and has not been delivered yet.") % {
            "day": reader.day(state.status_at)
        }
    if state.silent_since is not None and state.status != S.RETURNING:
        return _("The parcel was last seen %(at)s; there has been no news since.") % {
            "at": reader.moment(state.silent_since)
        }
    scan = reader.last_scan
    if state.status == S.IN_TRANSIT and (seen := seen_text(scan, reader.moment(state.status_at))):
        return seen
    text = str(HAPPENED[state.status])
    # Most texts name no day, and to write one takes longer than all else here.
    day = reader.day(state.status_at) if "%(day)s" in text else ""
    return text % {"courier": reader.courier, "day": day}


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
            return _("The parcel has been ready for collection since %(day)s: %(place)s.") % params
        return _("The parcel has been ready for collection at a locker or station since %(day)s.") % params
    if cause.was_at_the_door:
        return _("%(courier)s tried to deliver on %(day)s: %(reason)s.") % params
    if cause.code == "attempt_failed":
        return _("The parcel could not be delivered on %(day)s: %(reason)s.") % params
    return _("On hold since %(day)s: %(reason)s.") % params


def _warnings(state: ParcelState, reader: Reader) -> list[str]:
    """What is not as it should be."""
    texts, promise = [], state.promise
    if promise is not None and _awaits_new_day(state, reader):
        texts.append(_("It missed the first date, %(at)s.") % {"at": reader.moment(promise.judged_by)})
    elif state.is_overdue and promise is not None and promise.late_by is not None:
        texts.append(_("It is %(time)s overdue.") % {"time": duration_text(promise.late_by)})
    is_lost = state.loss is not None
    return [*texts, contradiction_text(reader.contradiction, courier=reader.courier, is_lost=is_lost)]


def _awaits_new_day(state: ParcelState, reader: Reader) -> bool:
    """Whether it is late for its first date, and a later one was agreed on that is still ahead."""
    promise = state.promise
    return (
        state.is_overdue and promise is not None and promise.deliver_by > max(promise.judged_by, reader.now)
    )


def _after_trouble(state: ParcelState, reader: Reader) -> str:
    cause, names = state.cause, {"courier": reader.courier}
    if state.arrival is not None:
        return _("The next attempt is expected %(day)s.") % {"day": reader.near_day(state.arrival.p50_at)}
    if cause is None:
        return _("It will be delivered as soon as this is settled.")
    if cause.is_damage:
        return (
            _("%(courier)s is checking whether it can still be delivered. Until then there is no date.")
            % names
        )
    if cause.is_left_without_consent:
        return _("It stays there until it is collected or brought to your door.")
    if cause.reason in UNTIL:
        return str(UNTIL[cause.reason])
    if cause.party == "courier":
        return _("%(courier)s sends it on as soon as it can.") % names
    if cause.party == CONSIGNEE:
        return _("%(courier)s is waiting to hear from the recipient.") % names
    return _("It continues as soon as this is over.")


def to_do_of(state: ParcelState, reader: Reader) -> list[str]:
    """What the reader can do, the most useful first."""
    names, cause = {"courier": reader.courier}, state.cause
    if state.loss is not None:
        return [_("Ask the shop for a replacement or your money back.")]
    if state.comes_back:
        return [_send_again()]
    if _lies_in_a_locker(state):
        return _with_locker(reader)
    if final := _in_the_end(state, reader):
        return final
    texts = _because_of(cause, state, reader)
    if reader.was_damaged:
        texts.append(_("It was damaged on the way: note the damage before you sign, or refuse it."))
    if _must_be_traced(state, reader):
        texts.append(
            _(
                "Ask %(courier)s where it is and give the tracking number; "
                "after days without news, ask the shop, too."
            )
            % names
        )
    elif state.is_overdue and state.status == S.BOOKED:
        texts.append(_("Ask the shop whether it has handed the parcel over."))
    elif state.is_overdue and state.arrival is not None and not _awaits_new_day(state, reader):
        last = {"day": reader.day(state.arrival.p90_at), **names}
        texts.append(_("If it has not come by %(day)s, ask %(courier)s where it is.") % last)
    if reader.may_choose_day:
        if cause is not None and cause.reason == R.CONSIGNEE_RESCHEDULED and state.arrival is None:
            texts.append(_("To see that day on this page, choose it below."))
        elif cause is not None and cause.reason == R.CONSIGNEE_REFUSED and state.arrival is None:
            texts.append(_("Or choose a delivery day below."))
        elif state.arrival is not None or (cause is not None and cause.party == CONSIGNEE):
            texts.append(_("If another day suits you better, choose it below."))
    return texts or [_("You don't need to do anything.")]


def _lies_in_a_locker(state: ParcelState) -> bool:
    """Whether it waits where the recipient did not want it, and was not asked to the door yet."""
    return state.cause is not None and state.cause.is_left_without_consent and state.arrival is None


def _with_locker(reader: Reader) -> list[str]:
    """For a parcel that was left in a locker without consent."""
    if reader.may_choose_day:
        door = _("Or choose a day below to have it brought to your door: you don't have to accept a locker.")
    else:
        door = _("Or ask %(courier)s to bring it to your door: you don't have to accept a locker.")
    return [
        _("Collect it with the code from the message of the locker or station."),
        door % {"courier": reader.courier},
    ]


def _in_the_end(state: ParcelState, reader: Reader) -> list[str]:
    """For statuses after which nobody brings it, and for damage; empty for others."""
    names, cause = {"courier": reader.courier}, state.cause
    match state.status:
        case S.AVAILABLE_FOR_PICKUP:
            return [
                _("Collect it with the code from the message of the locker or station."),
                _(
                    "Without a message, ask %(courier)s for the place, the code, the hours and until when "
                    "it is kept."
                )
                % names,
            ]
        case S.DELIVERED:
            return [_("If you do not have it, ask at home and next door, then %(courier)s.") % names]
        case S.RETURNING | S.RETURNED:
            if reader.contradiction:
                return [_("If you have the parcel, tell the shop."), _send_again()]
            return [_send_again()]
        case S.CANCELLED if reader.contradiction:
            return [_("If it is delivered anyway, refuse it or ask the shop what to do.")]
        case S.CANCELLED:
            return [_("If you still want the goods, order them again.")]
        case S.EXCEPTION if cause is not None and cause.is_damage:
            return [
                _("Ask the shop for a replacement."),
                _("If it is delivered anyway, note the damage before you sign, or refuse it."),
            ]
    return []


def _send_again() -> str:
    return _("If you still want the goods, ask the shop to send them again.")


def _because_of(cause: Cause | None, state: ParcelState, reader: Reader) -> list[str]:
    """What the reader can do about the reason of a failed attempt or a hold."""
    if cause is None:
        return []
    if cause.party == CONSIGNEE and cause.is_retryable and state.arrival is None:
        text = _("Tell %(courier)s when somebody is there to take it.")
        return [text % {"courier": reader.courier}]
    is_wanted = cause.is_left_without_consent or cause.reason == R.CONSIGNEE_REFUSED
    if cause.reason == R.CONSIGNEE_ABSENT or (is_wanted and state.arrival is not None):
        return [_("Make sure that somebody is there to take it.")]
    return [str(TO_DO[cause.reason])] if cause.reason in TO_DO else []


def _must_be_traced(state: ParcelState, reader: Reader) -> bool:
    """Whether nobody knows where it is or when it comes, and the courier has to say."""
    if state.status == S.BOOKED or state.arrival is not None:
        return False
    if state.cause is not None:
        return state.silent_since is not None and state.cause.party not in (CONSIGNEE, "merchant", "customs")
    return state.is_overdue or state.silent_since is not None


def ask_of(state: ParcelState, reader: Reader) -> str:
    if state.status in _WITH_THE_SHOP or state.loss is not None:
        return _("Questions? Ask the shop you bought from.")
    if _must_be_traced(state, reader) and not _in_the_end(state, reader):
        return ""
    return _("Questions? Ask %(courier)s and give the tracking number, or ask the shop.") % {
        "courier": reader.courier
    }


def _relative(day: date, today: date) -> str:
    params = {"day": date_text(day, "DAY_FORMAT")}
    if day == today:
        return _("today, %(day)s") % params
    if day == today + ONE_DAY:
        return _("tomorrow, %(day)s") % params
    return params["day"]
