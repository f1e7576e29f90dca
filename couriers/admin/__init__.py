"""The admin of couriers; importing it registers the models."""

from couriers.admin import applications, changes, facilities, homes, standing

__all__ = ["applications", "changes", "facilities", "homes", "standing"]
