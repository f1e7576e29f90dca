"""What roles, kinds of organisation, staff and API keys may do."""

from alliance.choices import Capability, OrganisationKind, OrganisationStatus, Role

C = Capability

_VIEW = {C.VIEW_PARCELS, C.VIEW_OFFERS, C.VIEW_RATES}
_WORK = _VIEW | {C.BOOK_PARCELS, C.SEND_SCANS, C.CLAIM_EXCUSES, C.EXPORT, C.UNMASK}
_MANAGE = _WORK | {
    C.MANAGE_OFFERS, C.ALLOCATE, C.VIEW_FINANCE, C.SETTLE, C.MANAGE_KEYS, C.MANAGE_WEBHOOKS, C.APPLY,
}  # fmt: skip

ROLE_CAPABILITIES: dict[str, frozenset[Capability]] = {
    Role.OWNER: frozenset(_MANAGE | {C.MANAGE_MEMBERS}),
    Role.MANAGER: frozenset(_MANAGE),
    Role.AGENT: frozenset(_WORK),
    Role.FINANCE: frozenset(_VIEW | {C.VIEW_FINANCE, C.SETTLE, C.EXPORT}),
    Role.VIEWER: frozenset(_VIEW),
}

# The capabilities of a kind of organisation, over all roles.
KIND_CAPABILITIES: dict[str, frozenset[Capability]] = {
    OrganisationKind.COURIER: frozenset(Capability) - {C.BOOK_PARCELS, C.ALLOCATE},
    OrganisationKind.MERCHANT: frozenset(Capability)
    - {C.SEND_SCANS, C.CLAIM_EXCUSES, C.VIEW_OFFERS, C.MANAGE_OFFERS, C.APPLY},
    OrganisationKind.OPERATOR: frozenset(Capability),
}

# What is left of them in a sandbox: test parcels are booked and followed, and nothing is settled by them.
SANDBOX_CAPABILITIES = frozenset(
    {C.VIEW_PARCELS, C.BOOK_PARCELS, C.UNMASK, C.VIEW_RATES, C.MANAGE_KEYS, C.MANAGE_WEBHOOKS}
)

# What permissions give to staff, besides what the admin asks Django's permissions for. Groups have them.
STAFF_CAPABILITIES: dict[str, frozenset[Capability]] = {
    "alliance.operate": frozenset(Capability),
    "alliance.look_up": frozenset({C.VIEW_PARCELS, C.VIEW_RATES}),
    "alliance.keep_books": frozenset({C.VIEW_FINANCE, C.SETTLE, C.VIEW_RATES}),
}

# A courier that is not (or no longer) a member may only work on its application.
APPLICANT_CAPABILITIES = frozenset({C.APPLY, C.MANAGE_MEMBERS})

# A suspended courier may only end what is under way.
SUSPENDED_CAPABILITIES = frozenset({C.SEND_SCANS})

# Possible scopes of an API key: keys never manage members or keys.
KEY_SCOPES = frozenset(Capability) - {C.MANAGE_MEMBERS, C.MANAGE_KEYS, C.APPLY, C.OPERATE}


def capabilities_of(*, kind: str, status: str, role: str) -> frozenset[Capability]:
    """Return the capabilities of a role in an organisation of a kind and status."""
    capabilities = ROLE_CAPABILITIES.get(role, frozenset()) & KIND_CAPABILITIES.get(kind, frozenset())
    if status == OrganisationStatus.ACTIVE:
        return capabilities
    is_applicant = status == OrganisationStatus.APPLICANT
    return capabilities & (APPLICANT_CAPABILITIES if is_applicant else SUSPENDED_CAPABILITIES)
