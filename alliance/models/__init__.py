"""Organisations and their people, cities, and the kernel's records."""

from alliance.members.models import ApiKey, Member, Organisation, User, UserManager
from alliance.models.records import AuditEntry, City, Event, Heartbeat, IdempotentRequest, RetiredMonth

# Django looks for models here; each is in the file of its subject.
__all__ = [
    "ApiKey",
    "AuditEntry",
    "City",
    "Event",
    "Heartbeat",
    "IdempotentRequest",
    "Member",
    "Organisation",
    "RetiredMonth",
    "User",
    "UserManager",
]
