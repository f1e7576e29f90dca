"""Build the actor of a user or of an organisation."""

from typing import Final

from alliance.capabilities import SANDBOX_CAPABILITIES, STAFF_CAPABILITIES, capabilities_of
from alliance.choices import Capability, OrganisationKind, Role
from alliance.database.written_once import WrittenOnce
from alliance.members.models import Member, Organisation, User
from alliance.sandboxes import is_sandbox, live_of
from alliance.tenancy import (
    Actor,
    Scope,
    scope,
)

_MEMBERSHIPS: Final = WrittenOnce(
    lambda user_id: (
        Member.objects.filter(user_id=user_id).select_related("organisation").order_by("created_at", "pk")
    )
)


def actor_of_user(user: User, *, organisation_id: int | None = None) -> Actor:
    """Return the actor of a logged-in user in the given organisation, else in the first one joined.

    The given one may be the sandbox of a merchant that the user is a member of.
    """
    if user.is_staff:
        # Superusers have every permission: reading all of them would take two queries.
        runs_everything = user.is_active and user.is_superuser
        permissions = {"alliance.operate"} if runs_everything else user.get_all_permissions()
        capabilities: frozenset[Capability] = frozenset().union(
            *(STAFF_CAPABILITIES.get(permission, frozenset()) for permission in permissions)
        )
        return Actor(
            kind="user",
            user_id=user.pk,
            is_ops=bool(permissions),
            is_staff=True,
            capabilities=capabilities,
            label=user.email,
        )
    with scope(Scope.user(user.pk)):
        memberships = _MEMBERSHIPS.rows(user.pk)
    # The menu of the page lists them, too.
    user.memberships_read = memberships
    live_id = organisation_id and live_of(organisation_id)
    selected = next((m for m in memberships if m.organisation_id == live_id), None)
    member = selected or next(iter(memberships), None)
    if member is None:
        return Actor(kind="user", user_id=user.pk, label=user.email)
    organisation = member.organisation
    if (
        selected is not None
        and is_sandbox(organisation_id)
        and organisation.kind == OrganisationKind.MERCHANT
    ):
        # Test mode: what a member may in the sandbox is up to the role at the merchant.
        organisation = Organisation(pk=organisation_id, kind=organisation.kind, status=organisation.status)
    return actor_of_organisation(
        organisation, kind="user", user_id=user.pk, role=member.role, label=user.email
    )


def actor_of_organisation(organisation: Organisation, **fields: object) -> Actor:
    """Return an actor of an organisation with the capabilities of its kind, status and role (or key)."""
    role = str(fields.get("role") or Role.OWNER)
    capabilities = capabilities_of(kind=organisation.kind, status=organisation.status, role=role)
    if is_sandbox(organisation.pk):
        capabilities &= SANDBOX_CAPABILITIES
    scopes = fields.pop("capabilities", None)
    return Actor(
        organisation_id=organisation.pk,
        organisation_kind=organisation.kind,
        organisation_status=organisation.status,
        capabilities=capabilities & scopes if isinstance(scopes, frozenset) else capabilities,
        **fields,  # type: ignore[arg-type]
    )
