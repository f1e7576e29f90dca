"""Reasons and grades as text for people."""

from collections.abc import Sequence

from django.utils import formats
from django.utils.translation import gettext as _

from alliance.wording import sentences
from couriers.choices import Grade
from slas.allocation.rules import Rule
from slas.allocation.texts import rule_reason
from slas.offers.quotes import QuotedOffer
from slas.offers.ranking import PRIOR_N, Reason, Record


def reason_text(
    reason: Reason | None,
    record: Record,
    grade: Grade,
    *,
    rule: Rule | None = None,
    shares: Sequence[tuple[str, int]] = (),
) -> str:
    """Why an offer is recommended, and its courier's grade; empty when it is not."""
    if reason is None:
        return ""
    by_rule = rule_reason(rule, shares) if rule else ""
    return sentences(by_rule, _reason_sentence(reason, record), grade_text(grade))


def quoted_reason(offer: QuotedOffer) -> str:
    """The same of a quoted offer."""
    return reason_text(offer.reason, offer.record, offer.grade, rule=offer.rule, shares=offer.shares)


def grade_text(grade: Grade) -> str:
    """A courier's grade as a sentence."""
    if grade == Grade.PROBATION:
        return _("The courier is on probation.")
    return _("The courier's grade is %(grade)s.") % {"grade": grade.label}


def _reason_sentence(reason: Reason, record: Record) -> str:
    if not record.n and reason in {Reason.ON_TIME, Reason.GRADE, Reason.PRICE}:
        return _untried_sentence(reason)
    match reason:
        case Reason.RULE:
            # Its reliability is that of an average courier, which the rule does not say.
            return "" if record.n else _("It has not delivered on this lane yet and counts as average.")
        case Reason.ONLY_OFFER:
            return _("The only courier that offers this service here.")
        case Reason.ONLY_ROOM:
            return _("The only courier with capacity on the earliest day.")
        case Reason.NOT_ON_PROBATION:
            return _("The best on-time record on this lane among couriers not on probation.")
        case Reason.GRADE:
            return _("The best grade among the couriers with the best on-time record on this lane.")
        case Reason.PRICE:
            return _("The lowest price among the couriers with the best on-time record on this lane.")
        case Reason.ON_TIME if record.uses_prior:
            return (
                _("The best on-time record on this lane, combined with the average below %d parcels.")
                % PRIOR_N
            )
        case Reason.ON_TIME:
            return _("The best on-time record on this lane: at least %s %% with 95 %% confidence.") % (
                # Rounded first: number_format truncates, and the page beside it rounds.
                formats.number_format(round((record.lower_bound or 0) * 100, 1), 1)
            )


def _untried_sentence(reason: Reason) -> str:
    """Why a courier comes first that has not delivered on the lane: it counts as average."""
    match reason:
        case Reason.GRADE:
            first = _("The best grade of the couriers that come first.")
        case Reason.PRICE:
            first = _("The lowest price of the couriers that come first.")
        case _:
            first = _("The other couriers' on-time records on this lane are below average.")
    return sentences(first, _("It has not delivered on this lane yet and counts as average."))
