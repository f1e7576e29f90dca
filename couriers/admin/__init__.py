"""The admin of couriers; importing it registers the models."""

from couriers.admin import applications, facilities, standing

__all__ = ["applications", "facilities", "standing"]
