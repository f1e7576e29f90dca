"""Models of the kernel: organisations, users, cities and records."""

from alliance.members.models import ApiKey, Invitation, Member, Organisation, User, UserManager
from alliance.models.records import (
    AuditEntry,
    City,
    Event,
    Heartbeat,
    IdempotentRequest,
    OutgoingMail,
    RetiredMonth,
)

# Django imports models from here; each is defined in the file of its subject.
__all__ = [
    "ApiKey",
    "AuditEntry",
    "City",
    "Event",
    "Heartbeat",
    "IdempotentRequest",
    "Invitation",
    "Member",
    "Organisation",
    "OutgoingMail",
    "RetiredMonth",
    "User",
    "UserManager",
]
