"""Models of the kernel: organisations, users, cities and records."""

from alliance.call_log.models import ApiCall
from alliance.members.models import (
    Acquaintance,
    ApiKey,
    Contact,
    Invitation,
    Member,
    Organisation,
    User,
    UserManager,
)
from alliance.models.records import (
    AuditEntry,
    City,
    Event,
    Heartbeat,
    IdempotentRequest,
    OutgoingMail,
    RetiredMonth,
)
from alliance.saved_views.models import SavedView

# Django imports models from here; each is defined in the file of its subject.
__all__ = [
    "Acquaintance",
    "ApiCall",
    "ApiKey",
    "AuditEntry",
    "City",
    "Contact",
    "Event",
    "Heartbeat",
    "IdempotentRequest",
    "Invitation",
    "Member",
    "Organisation",
    "OutgoingMail",
    "RetiredMonth",
    "SavedView",
    "User",
    "UserManager",
]
