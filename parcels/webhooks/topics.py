"""The events that webhooks send: what each means, whom it is for, and an example of its data.

A closed list, apart from the outbox: what is added there reaches no program by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability, OrganisationKind
from alliance.events import Topic
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor

# Sent on demand; no event of the outbox.
TEST: Final = "webhook.test"

_BOTH: Final = frozenset({OrganisationKind.MERCHANT.value, OrganisationKind.COURIER.value})
_MERCHANT: Final = frozenset({OrganisationKind.MERCHANT.value})
_COURIER: Final = frozenset({OrganisationKind.COURIER.value})
_PARCEL: Final = {"tracking_number": "CA0M4X8T2K9QJ7ZB", "reference": "SO-10021"}
_PROMISE: Final = {
    **_PARCEL,
    "kind": "delivery",
    "judged_by": "2026-11-12T20:00:00+08:00",
}
_EXCUSE: Final = {**_PARCEL, "kind": "delivery", "reason": "weather_typhoon"}
_PICKUP: Final = {
    "id": public_id(IdKind.PICKUP, 4711),
    "state": "accepted",
    "window": {"starts_at": "2026-11-11T14:00:00+08:00", "ends_at": "2026-11-11T16:00:00+08:00"},
    "proposed": None,
    "parcel_count": 38,
}
_MANIFEST: Final = {
    "manifest_number": "MF7K2M9Q4X1C0",
    "day": "2026-11-11",
    "listed": 120,
    "picked_up": 119,
    "missing": 1,
    "extra": 0,
}


@dataclass(frozen=True, slots=True)
class PublicTopic:
    """An event that programs may ask for."""

    about: str | Promise
    # What a member must be allowed to do to read the same by the API.
    capability: Capability
    example: Mapping[str, Any]
    kinds: frozenset[str] = _BOTH


def _seen(about: str | Promise, example: Mapping[str, Any], **options: Any) -> PublicTopic:
    return PublicTopic(about, Capability.VIEW_PARCELS, example, **options)


def _judged(about: str | Promise, example: Mapping[str, Any], **options: Any) -> PublicTopic:
    return PublicTopic(about, Capability.VIEW_RATES, example, **options)


def _paid(about: str | Promise, example: Mapping[str, Any]) -> PublicTopic:
    return PublicTopic(about, Capability.VIEW_FINANCE, example)


_BOOKED: Final = {
    **_PARCEL,
    "status": "booked",
    "tier": "next_day",
    "promise": {"original": "2026-11-12T20:00:00+08:00", "pickup_by": "2026-11-11T20:00:00+08:00"},
}
_MOVED: Final = {
    **_PARCEL,
    "status": "out_for_delivery",
    "previous_status": "in_transit",
    "occurred_at": "2026-11-12T09:14:05+08:00",
}
_REVISED: Final = {
    **_PARCEL,
    "kind": "delivery",
    "previous_promise": "2026-11-12T20:00:00+08:00",
    "new_promise": "2026-11-13T20:00:00+08:00",
    "requested_by": "recipient",
    "judged": True,
}

TOPICS: Final[Mapping[str, PublicTopic]] = {
    Topic.PARCEL_BOOKED.value: _seen(_("A parcel was booked, by a page, the API or a file."), _BOOKED),
    Topic.PARCEL_CANCELLED.value: _seen(
        _("The merchant cancelled a parcel before its pickup."), {**_PARCEL, "status": "cancelled"}
    ),
    Topic.PARCEL_STATUS_CHANGED.value: _seen(_("A scan gave a parcel another status."), _MOVED),
    Topic.PARCEL_CONTRADICTED.value: _seen(
        _("Scans of a parcel contradict its final status, or one another."),
        {**_PARCEL, "status": "delivered", "contradiction": "scanned_after_delivery"},
    ),
    Topic.PICKUP_REQUESTED.value: _seen(
        _("A merchant asked for a pickup."), {**_PICKUP, "state": "requested"}
    ),
    Topic.PICKUP_ACCEPTED.value: _seen(_("A pickup was agreed on."), _PICKUP),
    Topic.PICKUP_PROPOSED.value: _seen(
        _("The courier proposed another window for a pickup."),
        {
            **_PICKUP,
            "state": "proposed",
            "proposed": {"starts_at": "2026-11-11T16:00:00+08:00", "ends_at": "2026-11-11T18:00:00+08:00"},
        },
    ),
    Topic.PICKUP_KEPT.value: _seen(
        _("An agreed pickup keeps its window: a proposal to move it was refused or taken back."), _PICKUP
    ),
    Topic.PICKUP_DECLINED.value: _seen(_("The courier declined a pickup."), {**_PICKUP, "state": "declined"}),
    Topic.PICKUP_CANCELLED.value: _seen(
        _("The merchant cancelled a pickup."), {**_PICKUP, "state": "cancelled"}
    ),
    Topic.MANIFEST_MADE.value: _seen(_("A manifest was made."), {**_MANIFEST, "picked_up": 0, "missing": 0}),
    Topic.MANIFEST_CHANGED.value: _seen(
        _("Parcels were taken off a manifest."), {**_MANIFEST, "listed": 119, "picked_up": 0, "missing": 0}
    ),
    Topic.MANIFEST_CANCELLED.value: _seen(
        _("A manifest was cancelled."), {**_MANIFEST, "picked_up": 0, "missing": 0}
    ),
    Topic.MANIFEST_HANDED_OVER.value: _seen(_("A manifest was handed over to its courier."), _MANIFEST),
    Topic.RETURN_REQUESTED.value: _seen(
        _("A recipient asked for a return."), {**_PARCEL, "reason": "wrong_item"}, kinds=_MERCHANT
    ),
    Topic.RETURN_WITHDRAWN.value: _seen(
        _("A recipient took the request for a return back."),
        {**_PARCEL, "reason": "wrong_item"},
        kinds=_MERCHANT,
    ),
    Topic.RETURN_DECLINED.value: _seen(
        _("The merchant declined a return."), {**_PARCEL, "reason": "wrong_item"}, kinds=_MERCHANT
    ),
    Topic.RETURN_ISSUED.value: _seen(
        _("A return was booked: a parcel that brings another one back."),
        {**_PARCEL, "return_of": "CA0M4R1H5W3TN8QC"},
    ),
    Topic.COMMITMENT_OVERDUE.value: _judged(
        _("A promised time passed before the pickup or delivery."),
        {**_PROMISE, "outcome": "overdue", "reached_at": None},
    ),
    Topic.COMMITMENT_LATE.value: _judged(
        _("A parcel was picked up or delivered after its promised time."),
        {**_PROMISE, "outcome": "late", "reached_at": "2026-11-12T21:30:00+08:00"},
    ),
    Topic.COMMITMENT_REVISED.value: _judged(_("Another day was agreed on for a delivery."), _REVISED),
    Topic.BREACH_WITHDRAWN.value: _judged(
        _("A breach no longer is one: a scan of an event in time arrived late."),
        {**_PROMISE, "outcome": "met", "reached_at": "2026-11-12T19:20:00+08:00"},
    ),
    Topic.BREACH_EXCUSED.value: _judged(_("A breach no longer counts against the courier."), _EXCUSE),
    Topic.BREACH_EXCUSE_LIFTED.value: _judged(_("A breach that was excused counts again."), _EXCUSE),
    Topic.EXCUSE_CLAIMED.value: _judged(_("The courier requested an exemption for a breach."), _EXCUSE),
    Topic.EXCUSE_WITHDRAWN.value: _judged(_("The courier withdrew the request for an exemption."), _EXCUSE),
    Topic.EXCUSE_GRANTED.value: _judged(_("The alliance granted an exemption."), _EXCUSE),
    Topic.EXCUSE_DECLINED.value: _judged(_("The alliance declined an exemption."), _EXCUSE),
    Topic.EXCUSE_REVOKED.value: _judged(_("The alliance revoked an exemption."), _EXCUSE),
    Topic.EXCUSE_LAPSED.value: _judged(_("An exemption is no longer needed."), _EXCUSE),
    Topic.CREDIT_WRITTEN.value: _paid(
        _("An entry was added to the credit ledger."),
        {**_PARCEL, "amount": "5.00", "currency": "CNY", "cause": "late", "month": "2026-11"},
    ),
    Topic.STATEMENT_CLOSED.value: _paid(
        _("A month's credit statement became final."),
        {"month": "2026-11", "entries": 214, "total": "1070.00", "currency": "CNY"},
    ),
    Topic.COURIER_GRADED.value: _judged(
        _("The courier got another grade from its scorecards."),
        {"previous_grade": "B", "grade": "A", "month": "2026-10", "score": "91.4"},
        kinds=_COURIER,
    ),
}


# What of a topic's name comes before the dot, by subject: for people who choose.
SUBJECTS: Final[Sequence[tuple[str | Promise, tuple[str, ...]]]] = (
    (_("Parcels"), ("parcel",)),
    (_("Pickups"), ("pickup",)),
    (_("Manifests"), ("manifest",)),
    (_("Returns"), ("return",)),
    (_("Promised times"), ("commitment", "breach")),
    (_("Exemptions"), ("excuse",)),
    (_("Credits"), ("credit", "statement")),
    (_("Grades"), ("courier",)),
)


def is_about_a_parcel(name: str) -> bool:
    return "tracking_number" in TOPICS[name].example


def topics_for(actor: Actor) -> list[str]:
    """Return the events that an actor may ask for, in the order of the list."""
    return [
        name
        for name, topic in TOPICS.items()
        # Staff belong to neither side, and change what an organisation of any kind has.
        if (actor.is_ops or actor.organisation_kind in topic.kinds) and actor.can(topic.capability)
    ]
