"""Choices of the kernel's models."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class OrganisationKind(models.TextChoices):
    COURIER = "courier", _("Courier company")
    MERCHANT = "merchant", _("Merchant")
    OPERATOR = "operator", _("Alliance operator")


class OrganisationStatus(models.TextChoices):
    APPLICANT = "applicant", _("Applicant")
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    AGENT = "agent", _("Agent")
    FINANCE = "finance", _("Finance")
    VIEWER = "viewer", _("Viewer")


class InvitationState(models.TextChoices):
    """What became of an invitation; a pending one may have expired."""

    PENDING = "pending", _("Waiting for an answer")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Capability(models.TextChoices):
    """What an actor may do; roles and API-key scopes are sets of these."""

    VIEW_PARCELS = "parcels:read", _("See parcels and their scans")
    BOOK_PARCELS = "parcels:book", _("Quote, book and cancel parcels")
    SEND_SCANS = "scans:write", _("Send scans")
    VIEW_OFFERS = "offers:read", _("See own offers and capacity")
    MANAGE_OFFERS = "offers:write", _("Change own offers and capacity")
    ALLOCATE = "rules:write", _("Change the rules that choose couriers")
    VIEW_RATES = "rates:read", _("See on-time rates and breaches")
    CLAIM_EXCUSES = "excuses:claim", _("Request exemptions for breaches")
    EXPORT = "export", _("Download lists")
    UNMASK = "parcels:unmask", _("See full names, phones and addresses")
    VIEW_FINANCE = "finance:read", _("See fees and statements")
    SETTLE = "finance:write", _("Enter surcharges and mark months as settled")
    MANAGE_WEBHOOKS = "webhooks:write", _("Manage webhooks and read their log")
    APPLY = "application:write", _("Fill in and submit the courier application")
    MANAGE_MEMBERS = "members:write", _("Invite and remove members")
    MANAGE_KEYS = "keys:write", _("Create and revoke API keys")
    OPERATE = "alliance:operate", _("Run the alliance: rules, closures, applications, accounting")


class RetirementState(models.TextChoices):
    """How far the retirement of a month is."""

    LEAVING = "leaving", _("Exporting")
    DETACHED = "detached", _("Writing")
    WRITTEN = "written", _("Written, being removed")
    GONE = "gone", _("Archived in files only")
