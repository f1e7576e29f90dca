"""Ops' door to membership; importing registers."""

from couriers.admin import applications, facilities, standing

__all__ = ["applications", "facilities", "standing"]
