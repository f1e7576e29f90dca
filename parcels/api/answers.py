"""JSON of quotes, bookings and parcels. Plain dictionaries, because a batch has up to a thousand results."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from alliance.api.errors import problem
from alliance.clocks import local_clock
from alliance.errors import AllianceError
from alliance.identifiers import tracking_number
from alliance.models import City
from alliance.public_ids import IdKind, public_id
from alliance.sandboxes import is_sandbox
from alliance.tenancy import Actor
from alliance.texts import one_line
from parcels.api.booking_bodies import lists_pieces
from parcels.api.states import state_json
from parcels.bookings.rules import REFERENCE_LENGTH, Recipient
from parcels.bookings.services.cancelling import Cancelled
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelStatus
from parcels.models import Parcel
from parcels.private import Private, private_of, sees_rule
from parcels.tracking.advice import Reader
from parcels.tracking.queries import states_of
from parcels.tracking.state import ParcelState
from slas.commitments.rules import raw_rate
from slas.offers.quotes import Quote, QuotedOffer
from slas.offers.ranking import RECORD_DAYS, Record
from slas.offers.texts import quoted_reason
from slas.promises.prices import CURRENCY, yuan
from slas.promises.rules import Promise, Step
from slas.promises.texts import Ends, rolled_text, step_text

JSON = dict[str, Any]


def quote_json(quote: Quote) -> JSON:
    request = quote.request
    return {
        "quoted_at": _local(quote.at, request.origin.time_zone),
        **place_json("origin", request.origin),
        **place_json("destination", request.destination),
        "weight_g": request.weight_g,
        "ready_at": local_clock(request.ready_at, request.origin.time_zone).isoformat(),
        "currency": CURRENCY,
        "offers": [offer_json(offer, _ends(request.origin, request.destination)) for offer in quote.offers],
        "unavailable": [
            {"tier": item.tier, "code": item.code, "detail": item.detail} for item in quote.unavailable
        ],
    }


def offer_json(offer: QuotedOffer, ends: Ends) -> JSON:
    instead = None
    if offer.full_on:
        day = None if offer.is_full else offer.promise.effective_date
        instead = {"courier": offer.next_courier or None, "day": day}
    reason = offer.reason and {
        "code": offer.reason.value,
        "text": quoted_reason(offer),
        "rule": offer.rule
        and {
            "id": public_id(IdKind.ALLOCATION_RULE, offer.rule.id),
            "name": offer.rule.name,
        },
    }
    return {
        "courier": offer.offer.courier,
        "courier_name": offer.offer.courier_name,
        "grade": offer.grade.value,
        "tier": offer.tier.code.value,
        "price": yuan(offer.fee_fen),
        "promise": promise_json(offer.promise, ends, offer.full_on, with_steps=True),
        "capacity_left": offer.places_left,
        "full": offer.is_full,
        "instead": instead,
        "cut_off_in_seconds": int(offer.to_cut_off.total_seconds()),
        "on_time": record_json(offer.record),
        "recommended": offer.recommended,
        "ranking_reason": reason,
    }


def record_json(record: Record) -> JSON:
    return {
        "days": RECORD_DAYS,
        "n": record.n,
        "accountable_rate": record.rate,
        "raw_rate": raw_rate(record.met, record.late, record.overdue),
        "lower_bound": record.lower_bound,
        "excused": record.excused,
        "few": record.uses_prior,
    }


def promise_json(promise: Promise, ends: Ends, full_on: tuple[date, ...], *, with_steps: bool) -> JSON:
    deliver_by = promise.deliver_by.isoformat()
    result: JSON = {
        "original": deliver_by,
        "current": deliver_by,
        "pickup_date": promise.effective_date.isoformat(),
        "pickup_by": promise.pickup_by.isoformat(),
        "cut_off_at": promise.cut_off_at.isoformat(),
        "rolled": promise.rolled,
        "rolled_days": promise.rolled_days,
        "full_on": [day.isoformat() for day in full_on],
        "note": rolled_text(promise, ends, full_on),
        "tier_version": promise.version,
    }
    if with_steps:
        result["steps"] = [_step_json(step, ends) for step in promise.steps]
    return result


def _step_json(step: Step, ends: Ends) -> JSON:
    return {
        "code": step.code.value,
        "day": step.day,
        "at": step.at and step.at.isoformat(),
        "text": step_text(step, ends),
    }


def amount_or_none(fen: int | None) -> str | None:
    return None if fen is None else yuan(fen)


def pieces_json(order: Sequence[Booked]) -> JSON:
    """All parcels of an order that was booked."""
    return {
        "total_price": yuan(sum(each.fee_fen for each in order)),
        "parcels": [
            {
                "tracking_number": each.number,
                "piece": each.request.piece,
                "piece_count": each.request.pieces,
                "weight_g": each.request.weight_g,
                "price": yuan(each.fee_fen),
                "declared_value": amount_or_none(each.request.declared_value_fen),
            }
            for each in order
        ],
    }


def _booked_item(order: Sequence[Booked], promise: JSON) -> JSON:
    """What a batch says of an item: the part of its parcel that the caller does not know yet."""
    booked = order[0]
    return {
        "tracking_number": booked.number,
        "reference": booked.request.reference,
        "status": "booked",
        "tier": booked.tier.code.value,
        "courier": booked.offer.courier,
        "courier_name": booked.offer.courier_name,
        "price": yuan(booked.fee_fen),
        "currency": CURRENCY,
        "declared_value": amount_or_none(booked.request.declared_value_fen),
        "promise": promise,
    }


def batch_json(results: list[list[Booked] | AllianceError], sent: list[object]) -> JSON:
    """The results of a batch, in order, with the references sent. Equal promises share their JSON."""
    promises: dict[tuple[int, tuple[date, ...]], JSON] = {}
    items: list[JSON] = []
    for index, (result, item) in enumerate(zip(results, sent, strict=True)):
        if isinstance(result, AllianceError):
            rejected_item = {"index": index, "status": "rejected", "reference": _reference(item)}
            items.append({**rejected_item, **rejection_json(result)})
            continue
        first = result[0]
        key = (id(first.promise), first.full_on)
        if key not in promises:
            promises[key] = promise_json(first.promise, ends_of(first), first.full_on, with_steps=False)
        booked = {"index": index, **_booked_item(result, promises[key])}
        items.append({**booked, **pieces_json(result)} if lists_pieces(item) else booked)
    rejected = sum(isinstance(result, AllianceError) for result in results)
    return {"booked": len(results) - rejected, "rejected": rejected, "results": items}


def _reference(item: object) -> str:
    """The reference of an item, as far as it can be read, so that a program finds what was rejected."""
    reference = item.get("reference") if isinstance(item, dict) else None
    if not isinstance(reference, str):
        return ""
    return one_line(reference).encode("utf-8", "replace").decode()[:REFERENCE_LENGTH]


def batch_cancelled_json(items: list[object], results: list[Cancelled | AllianceError]) -> JSON:
    """The results of cancelling a batch, in order, with the numbers as they were sent."""
    answers: list[JSON] = []
    for index, (item, result) in enumerate(zip(items, results, strict=True)):
        if isinstance(result, AllianceError):
            sent = {"tracking_number": item} if isinstance(item, str) else {}
            answers.append({"index": index, **sent, "status": "rejected", **rejection_json(result)})
        else:
            answers.append(
                {
                    "index": index,
                    "tracking_number": result.number,
                    "status": ParcelStatus.CANCELLED.value,
                    "cancelled_at": timezone.localtime(result.cancelled_at).isoformat(),
                }
            )
    rejected = sum(isinstance(result, AllianceError) for result in results)
    return {"cancelled": len(results) - rejected, "rejected": rejected, "results": answers}


def rejection_json(error: AllianceError) -> JSON:
    """What is wrong with one item of a batch, as in a problem document."""
    document = problem(error)
    return {
        "type": document["type"],
        "detail": document["detail"],
        "errors": document.get("errors", []),
        **error.members,
    }


def parcels_json(
    actor: Actor,
    parcels: Sequence[Parcel],
    *,
    unmasked: bool = False,
    states: Mapping[int, ParcelState] | None = None,
) -> list[JSON]:
    """The JSON of a page of parcels, the same wherever one is shown, as far as the actor may see them.

    `states` are theirs, if they were worked out before.
    """
    now = timezone.now()
    if states is None:
        states = states_of(actor=actor, parcels=parcels, now=now)
    shows_rule = sees_rule(actor)
    return [
        {
            **_parcel_json(parcel, states[parcel.pk], private_of(actor, parcel, unmasked=unmasked), now),
            **(_rule_json(parcel) if shows_rule else {}),
        }
        for parcel in parcels
    ]


def _rule_json(parcel: Parcel) -> JSON:
    if parcel.rule_name is None:
        return {"rule": None}
    return {"rule": {"position": parcel.rule_position, "name": parcel.rule_name}}


def _parcel_json(parcel: Parcel, state: ParcelState, private: Private, now: datetime) -> JSON:
    here, there = parcel.origin.time_zone, parcel.destination.time_zone
    reader = Reader(parcel.courier.organisation.name, parcel.destination.name, there, now)
    stated = state_json(state, reader)
    if promise := stated["promise"]:
        promise["pickup_date"] = parcel.pickup_date and parcel.pickup_date.isoformat()
        promise["pickup_by"] = _local(parcel.pickup_by, here)
    result = {
        "tracking_number": parcel.number,
        "reference": parcel.reference,
        "piece": parcel.piece,
        "piece_count": parcel.pieces,
        "order": None if parcel.order_id is None else tracking_number(parcel.order_id),
        **stated,
        "contradiction": parcel.contradiction or None,
        "tier": parcel.tier.code,
        "is_test": is_sandbox(parcel.merchant_id),
        "merchant": parcel.merchant.organisation.public_id,
        "merchant_name": parcel.merchant.organisation.name,
        "courier": parcel.courier.organisation.public_id,
        "courier_name": parcel.courier.organisation.name,
        **place_json("origin", parcel.origin),
        **place_json("destination", parcel.destination),
        "weight_g": parcel.weight_g,
        "declared_value": amount_or_none(parcel.declared_value_fen),
        "booked_at": _local(parcel.booked_at, here),
        "ready_at": _local(parcel.ready_at, here),
        "delivered_at": _local(parcel.delivered_at, there),
        "cancelled_at": _local(parcel.cancelled_at, here),
        "recipient": _person_json(private.recipient),
        "sender": private.sender and _person_json(private.sender),
        "return_of": parcel.return_of_id and tracking_number(parcel.return_of_id),
        "returned_by": parcel.returned_by_id and tracking_number(parcel.returned_by_id),
        "return_cancelled_at": _local(parcel.return_cancelled_at, there),
        "recipient_erased_at": _local(parcel.erased_at, here),
    }
    if private.sees_fee:
        result |= {
            "price": None if private.fee_fen is None else yuan(private.fee_fen),
            "currency": CURRENCY,
        }
    return result


def _person_json(person: Recipient) -> JSON:
    return {"name": person.name, "phone": person.phone, "address": person.address}


def city_json(city: City) -> JSON:
    return {
        "code": city.code,
        "name": city.name,
        "name_en": city.name_en,
        "name_zh": city.name_zh,
        "province": city.province,
        "country": city.country,
        "time_zone": city.time_zone,
    }


def place_json(name: str, city: City) -> JSON:
    """A city by its code, and what people call it."""
    return {name: city.code, f"{name}_name": city.name}


def ends_of(booked: Booked) -> Ends:
    return _ends(booked.request.origin, booked.request.destination)


def _ends(origin: City, destination: City) -> Ends:
    return Ends(origin.name, destination.name)


def _local(moment: datetime | None, zone: str) -> str | None:
    return None if moment is None else local_clock(moment, zone).isoformat()
