"""A manifest as the API answers it."""

from collections.abc import Sequence
from typing import Any

from alliance.clocks import local_clock
from alliance.errors import AllianceError
from alliance.public_ids import IdKind, public_id
from parcels.api.answers import place_json, rejection_json
from parcels.manifests.queries import Counts, Line, counts_of
from parcels.manifests.services.picking_up import PickedUp, Told
from parcels.models import Manifest

JSON = dict[str, Any]


def manifest_json(manifest: Manifest, counts: Counts) -> JSON:
    address, zone = manifest.pickup_address, manifest.origin.time_zone

    def local(at: Any) -> str | None:
        return at and local_clock(at, zone).isoformat()

    return {
        "manifest_number": manifest.number,
        "state": manifest.state,
        "merchant": manifest.merchant.organisation.public_id,
        "merchant_name": manifest.merchant.organisation.name,
        "courier": manifest.courier.organisation.public_id,
        "courier_name": manifest.courier.organisation.name,
        **place_json("origin", manifest.origin),
        "pickup_place": address
        and {
            "id": public_id(IdKind.PICKUP_ADDRESS, address.pk),
            "name": address.name,
            "address": address.address,
        },
        "day": manifest.day.isoformat(),
        "number_of_day": manifest.ordinal,
        "counts": {
            "listed": manifest.listed,
            "to_pick_up": counts.to_pick_up,
            "picked_up": counts.picked_up,
            "cancelled": counts.cancelled,
            "missing": counts.missing,
            "extra": counts.extra,
            "refused": counts.refused,
            "removed": counts.removed,
        },
        "created_at": local(manifest.made_at),
        "picked_up_at": local(manifest.picked_up_at),
        "cancelled_at": local(manifest.cancelled_at),
        "merchant_remark": manifest.merchant_remark,
        "courier_remark": manifest.courier_remark,
    }


def read_json(manifest: Manifest) -> JSON:
    return manifest_json(manifest, counts_of([manifest])[manifest.pk])


def picked_up_json(told: Told, result: PickedUp) -> JSON:
    return {
        "manifest": read_json(result.manifest),
        "repeated": result.is_repeat,
        "missing_results": items(told.missing, result.missing),
        "extra_results": items(told.extra, result.extra),
    }


def items(numbers: Sequence[str], results: Sequence[AllianceError | None]) -> list[JSON]:
    return [_item(index, *each) for index, each in enumerate(zip(numbers, results, strict=True))]


def _item(index: int, number: str, refusal: AllianceError | None) -> JSON:
    sent = {"index": index, "tracking_number": number}
    if refusal is None:
        return {**sent, "status": "accepted"}
    return {**sent, "status": "rejected", **rejection_json(refusal)}


def line_json(line: Line) -> JSON:
    parcel = line.parcel
    return {
        "tracking_number": parcel.number,
        "reference": parcel.reference,
        "handover": line.outcome,
        "status": parcel.status,
        **place_json("destination", parcel.destination),
        "weight_g": parcel.weight_g,
    }
