"""Ops' door to what moves; importing registers."""

from parcels.admin import (
    booking_files,
    bookings,
    dry_runs,
    freight,
    manifests,
    merchants,
    pickup_addresses,
    pickups,
    retention,
    returns,
    scan_files,
    webhooks,
)

__all__ = [
    "booking_files",
    "bookings",
    "dry_runs",
    "freight",
    "manifests",
    "merchants",
    "pickup_addresses",
    "pickups",
    "retention",
    "returns",
    "scan_files",
    "webhooks",
]
