"""Ops' door to what moves; importing registers."""

from parcels.admin import booking_files, bookings, retention, scan_files

__all__ = ["booking_files", "bookings", "retention", "scan_files"]
