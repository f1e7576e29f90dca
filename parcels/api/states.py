"""The JSON of a parcel's state: the same for a merchant, a courier and anybody with the number."""

from typing import Any

from rest_framework import serializers

from alliance.clocks import moment_text
from parcels.api.serializers import ExpectedArrival, ParcelFields
from parcels.choices import ParcelStatus
from parcels.tracking.advice import Reader, next_of, title_of
from parcels.tracking.arrivals import arrival_json
from parcels.tracking.state import Loss, ParcelState, PromiseState
from slas.choices import Outcome, RevisionParty

S = serializers.Serializer[Any]


class PromiseStateAnswer(S):
    """What was promised for the delivery, what is agreed now, and how that stands at this moment."""

    original = serializers.DateTimeField(help_text="Delivery as promised at booking. It never changes.")
    current = serializers.DateTimeField(
        help_text="Delivery as agreed now: the original time, or that of a later day asked for since."
    )
    judged_by = serializers.DateTimeField(
        help_text="On-time is judged by this: `current`, unless the day was changed after it had passed."
    )
    moved_by = serializers.ChoiceField(
        choices=RevisionParty.choices, allow_null=True, help_text="Who asked for the present day."
    )
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    reached_at = serializers.DateTimeField(allow_null=True, help_text="First valid attempt or delivery.")
    is_late = serializers.BooleanField()
    late_by_seconds = serializers.IntegerField(
        allow_null=True, help_text="Null if it is not late, or if no delivery is to come any more."
    )


class LossAnswer(S):
    """Since when the parcel is lost."""

    lost_at = serializers.DateTimeField()
    reported = serializers.BooleanField(
        help_text="Reported by its courier; otherwise presumed, as nothing was heard for too long."
    )


class StateAnswer(S):
    """Where a parcel stands, the same at every door. Times carry the destination's offset."""

    status = serializers.ChoiceField(choices=ParcelStatus.choices)
    status_text = serializers.CharField(help_text="The status in words; finer than `status`.")
    status_at = serializers.DateTimeField()
    next_step = serializers.CharField(help_text="What happens next, in the language of the request.")
    promise = PromiseStateAnswer(allow_null=True, help_text="Null if there is no promise any more.")
    lost = LossAnswer(allow_null=True, help_text="Null if the parcel is not lost.")
    expected = ExpectedArrival(
        allow_null=True, help_text="Null once attempted, if something went wrong, or if unknown."
    )


class ParcelPromiseAnswer(PromiseStateAnswer):
    """The promise with its pickup, for merchant and courier."""

    pickup_date = serializers.DateField(allow_null=True)
    pickup_by = serializers.DateTimeField(allow_null=True)


class ParcelAnswer(StateAnswer, ParcelFields):
    """A parcel as its merchant and its courier see it."""

    promise = ParcelPromiseAnswer(allow_null=True, help_text="Null if there is no promise any more.")


class ParcelPage(S):
    next = serializers.URLField(allow_null=True, help_text="The page after this one; null on the last.")
    previous = serializers.URLField(allow_null=True)
    results = ParcelAnswer(many=True)


def state_json(state: ParcelState, reader: Reader) -> dict[str, Any]:
    zone = reader.zone
    return {
        "status": state.status.value,
        "status_text": title_of(state),
        "status_at": moment_text(state.status_at, zone),
        "next_step": next_of(state, reader),
        "promise": None if state.promise is None else _promise_json(state.promise, zone),
        "lost": None if state.loss is None else _loss_json(state.loss, zone),
        "expected": arrival_json(state.arrival, zone),
    }


def _promise_json(promise: PromiseState, zone: str) -> dict[str, Any]:
    return {
        "original": moment_text(promise.original, zone),
        "current": moment_text(promise.deliver_by, zone),
        "judged_by": moment_text(promise.judged_by, zone),
        "moved_by": promise.moved_by or None,
        "outcome": promise.outcome.value,
        "reached_at": promise.reached_at and moment_text(promise.reached_at, zone),
        "is_late": promise.is_late,
        "late_by_seconds": promise.late_by and int(promise.late_by.total_seconds()),
    }


def _loss_json(loss: Loss, zone: str) -> dict[str, Any]:
    return {"lost_at": moment_text(loss.since, zone), "reported": loss.is_reported}
