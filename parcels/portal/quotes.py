"""Offers of a quote, prepared for the pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from alliance.dates import date_text
from alliance.durations import duration_text
from alliance.wording import kilograms
from couriers.choices import Grade
from slas.offers.quotes import Quote, QuotedOffer
from slas.offers.ranking import RECORD_DAYS, Record
from slas.offers.texts import quoted_reason
from slas.promises.prices import fen_from_yuan, yuan
from slas.promises.texts import Ends, clock_text, explained, rolled_text


@dataclass(frozen=True, slots=True)
class OfferView:
    """One offer as text. Times are local to their city."""

    courier: str
    courier_name: str
    grade: Grade
    service: str
    service_name: str
    price: str
    pickup: str
    pickup_day: str
    pickup_clock: str
    deliver_day: str
    deliver_clock: str
    cut_off: str
    cut_off_day: str
    cut_off_clock: str
    cut_off_at: datetime
    cut_off_left: str
    note: str
    instead: str
    steps: list[str]
    places_left: int
    is_full: bool
    record: Record
    days: int
    recommended: bool
    reason: str
    book_url: str
    # What a merchant agrees on by booking it, as it travels in the URL.
    agreed: dict[str, str]


@dataclass(frozen=True, slots=True)
class TierView:
    """The offers of one service, or the reason why there are none."""

    name: str
    offers: list[OfferView]
    problem: str = ""


def tier_views(quote: Quote, query: QueryDict) -> list[TierView]:
    """Group a quote's offers by service; unavailable services come last."""
    groups: dict[str, TierView] = {}
    for offer in quote.offers:
        view = offer_view(quote, offer, query)
        groups.setdefault(view.service, TierView(view.service_name, [])).offers.append(view)
    unavailable = [TierView("", [], item.detail) for item in quote.unavailable]
    return [*groups.values(), *unavailable]


def offer_view(quote: Quote, offer: QuotedOffer, query: QueryDict) -> OfferView:
    """Prepare one offer for display."""
    promise = offer.promise
    ends = Ends(quote.request.origin.name, quote.request.destination.name)
    return OfferView(
        courier=offer.offer.courier,
        courier_name=offer.offer.courier_name,
        grade=offer.grade,
        service=offer.tier.code.value,
        service_name=offer.tier.name,
        price=yuan(offer.fee_fen),
        pickup=date_text(promise.pickup_by, "MOMENT_FORMAT"),
        pickup_day=date_text(promise.pickup_by, "DAY_FORMAT"),
        pickup_clock=clock_text(promise.pickup_by),
        deliver_day=date_text(promise.deliver_by, "DAY_FORMAT"),
        deliver_clock=clock_text(promise.deliver_by),
        cut_off=date_text(promise.cut_off_at, "MOMENT_FORMAT"),
        cut_off_day=date_text(promise.cut_off_at, "DAY_FORMAT"),
        cut_off_clock=clock_text(promise.cut_off_at),
        cut_off_at=promise.cut_off_at,
        cut_off_left=duration_text(max(offer.to_cut_off, timedelta(0))),
        note=rolled_text(promise, ends, offer.full_on),
        instead=_alternative_text(offer),
        steps=explained(promise, ends),
        places_left=offer.places_left,
        is_full=offer.is_full,
        record=offer.record,
        days=RECORD_DAYS,
        recommended=offer.recommended,
        reason=quoted_reason(offer),
        book_url=_book_url(offer, query),
        agreed=_agreed(offer),
    )


def _agreed(offer: QuotedOffer) -> dict[str, str]:
    return {
        "courier": offer.offer.courier,
        "service": offer.tier.code.value,
        # Of each parcel: their weights differ.
        "price": "+".join(map(yuan, offer.fees_fen)),
        "pickup_by": offer.promise.pickup_by.isoformat(),
        "deliver_by": offer.promise.deliver_by.isoformat(),
    }


def expected_of(query: QueryDict, *, parcels: int) -> list[dict[str, Any]] | None:
    """The expectations of each parcel, from the URL of the page; None if the URL does not say them all."""
    try:
        prices_fen = [fen_from_yuan(text) for text in query.get("price", "").split("+")]
        pickup_by = datetime.fromisoformat(query.get("pickup_by", ""))
        deliver_by = datetime.fromisoformat(query.get("deliver_by", ""))
    except ValueError:
        return None
    if pickup_by.utcoffset() is None or deliver_by.utcoffset() is None or len(prices_fen) != parcels:
        return None
    return [
        {
            "expected_price_fen": price_fen,
            "expected_pickup_by": pickup_by,
            "expected_deliver_by": deliver_by,
        }
        for price_fen in prices_fen
    ]


def weights_text(weights_g: Sequence[int]) -> str:
    """The weights of an order's parcels in kilograms, as the form takes them."""
    return " + ".join(map(kilograms, weights_g))


def without_agreed(query: QueryDict) -> str:
    """The query of the comparison page: without the chosen offer."""
    params = query.copy()
    for name in ("courier", "service", "price", "pickup_by", "deliver_by"):
        params.pop(name, None)
    return params.urlencode()


def _alternative_text(offer: QuotedOffer) -> str:
    """The alternative if the first day is full."""
    if not offer.full_on:
        return ""
    if offer.next_courier_name:
        return _("%(courier)s still has capacity on %(day)s.") % {
            "courier": offer.next_courier_name,
            "day": date_text(offer.full_on[0], "DAY_FORMAT"),
        }
    return _("No courier has capacity on %s.") % date_text(offer.full_on[0], "DAY_FORMAT")


def _book_url(offer: QuotedOffer, query: QueryDict) -> str:
    """The booking page of an offer: its URL says all that is agreed on there."""
    params = query.copy()
    for name, value in _agreed(offer).items():
        params[name] = value
    return f"{reverse('parcels:parcel_book')}?{params.urlencode()}"
