"""Suspend and reinstate organisations."""

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from alliance import audit, locks, mails
from alliance.choices import Capability, OrganisationStatus, Role
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.members.models import Member, Organisation
from alliance.sandboxes import sandbox_of
from alliance.tenancy import Actor, require

REASON_LENGTH = 1_000


@transaction.atomic
def suspend_organisation(*, actor: Actor, organisation_id: int, reason: str) -> Organisation:
    """Suspend an active organisation: no new bookings by or with it, its pages and keys are closed.

    Parcels under way go on: a courier may still send scans. Its owners get a mail. A second call changes
    nothing. Raises InvalidInput without a reason, Conflict for applicants.
    """
    return _change(actor, organisation_id, OrganisationStatus.SUSPENDED, reason)


@transaction.atomic
def reinstate_organisation(*, actor: Actor, organisation_id: int, reason: str) -> Organisation:
    """End the suspension of an organisation. A second call changes nothing; raises what suspending raises."""
    return _change(actor, organisation_id, OrganisationStatus.ACTIVE, reason)


def _change(actor: Actor, organisation_id: int, status: OrganisationStatus, reason: str) -> Organisation:
    require(actor, Capability.OPERATE)
    text = reason.strip()
    if not text:
        raise InvalidInput(
            errors=[FieldError("/reason", _("Enter a reason: the owners read it."), "required")]
        )
    if len(text) > REASON_LENGTH:
        message = _("Enter at most %(most)d characters.") % {"most": REASON_LENGTH}
        raise InvalidInput(errors=[FieldError("/reason", message, "max_length")])
    # Bookings share it: those under way are made before, later ones read the new status.
    locks.wait_for(locks.Lock.CHANGE_STANDING)
    organisation = Organisation.objects.select_for_update(no_key=True).filter(pk=organisation_id).first()
    if organisation is None:
        raise NotFound
    if organisation.status == status:
        return organisation
    if organisation.status == OrganisationStatus.APPLICANT:
        raise Conflict(_("This company is an applicant: decide on its application."), code="applicant")
    organisation.status = status
    organisation.save(update_fields=["status"])
    # Its sandbox stops and goes on with it.
    Organisation.objects.filter(pk=sandbox_of(organisation.pk)).update(status=status)
    is_suspended = status == OrganisationStatus.SUSPENDED
    audit.record(
        actor=actor,
        verb="organisation.suspended" if is_suspended else "organisation.reinstated",
        object_type="organisation",
        object_id=organisation.pk,
        organisation_id=organisation.pk,
        detail={"reason": text},
    )
    mails.write_mails(
        to=owners_of(organisation.pk),
        template=f"alliance/mail/{'suspended' if is_suspended else 'reinstated'}",
        context={"organisation": organisation.name, "reason": text, "kind": organisation.kind},
        path=reverse("home"),
    )
    return organisation


def owners_of(organisation_id: int) -> list[tuple[str, str]]:
    """Return the addresses of an organisation's owners with their languages, as for mails."""
    owners = Member.objects.active().filter(organisation_id=organisation_id, role=Role.OWNER)
    return list(owners.values_list("user__email", "user__language"))
