"""Create organisations with their first owner and the record of their kind."""

import secrets
from collections.abc import Callable
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability, OrganisationKind, OrganisationStatus, Role
from alliance.errors import Conflict, FieldError, InvalidInput, NotPermitted
from alliance.links import NO_LINKS, has_link
from alliance.members.models import Member, Organisation
from alliance.members.services.actors import actor_of_organisation
from alliance.models import User
from alliance.registry import Registry
from alliance.tenancy import (
    Actor,
    Scope,
    scope,
)
from alliance.text_faults import fault_of
from alliance.texts import one_line

# Kind of organisation -> the function that creates its record, such as a courier. The app of the record
# registers it, because the kernel imports no app.
RECORD_CREATORS: Final[Registry[str, Callable[[Organisation], None]]] = Registry("creator of records")

# Attempts to find a short name while others of the same name sign up.
MOST_NAMESAKES: Final = 10
# Companies of one name whose short names are numbered from 2 on.
MOST_NUMBERED: Final = 20


def create_organisation(
    *, actor: Actor, kind: OrganisationKind | str, name: str, status: OrganisationStatus | str | None = None
) -> Organisation:
    """Create an organisation owned by the acting user.

    A merchant is active at once; a courier is an applicant until ops approve it.
    Raises InvalidInput for a name that is empty or has a link, NotPermitted for anonymous actors, for staff
    without the right, and for operators created by anybody but ops.
    """
    is_stray = actor.is_staff and not actor.can(Capability.OPERATE)
    if (
        actor.is_anonymous
        or is_stray
        or (kind == OrganisationKind.OPERATOR and not actor.can(Capability.OPERATE))
    ):
        raise NotPermitted
    name = one_line(name)
    if not name:
        raise InvalidInput(errors=[FieldError("/name", _("Enter the company's name."), "required")])
    if not any(map(str.isalpha, name)):
        message = _("A name must contain letters or Chinese characters.")
        raise InvalidInput(errors=[FieldError("/name", message, "invalid")])
    if fault := fault_of(name):
        raise InvalidInput(errors=[FieldError("/name", fault.message, fault.code)])
    if has_link(name):
        raise InvalidInput(errors=[FieldError("/name", str(NO_LINKS), "link")])
    default = OrganisationStatus.APPLICANT if kind == OrganisationKind.COURIER else OrganisationStatus.ACTIVE
    # There is no member yet, so no tenant's scope may write these rows.
    with scope(Scope.everything()):
        organisation = _insert(kind=kind, status=status or default, name=name)
        if create_record := RECORD_CREATORS.get(str(kind)):
            create_record(organisation)
        if actor.user_id:
            Member.objects.create(organisation=organisation, user_id=actor.user_id, role=Role.OWNER)
        audit.record(
            actor=actor,
            verb="organisation.created",
            object_type="organisation",
            object_id=organisation.pk,
            organisation_id=organisation.pk,
            detail={"kind": str(kind), "name": name},
        )
    return organisation


def create_first_organisation(*, actor: Actor, kind: OrganisationKind | str, name: str) -> int:
    """Create the organisation of a user without one, and return its id.

    A double click returns the organisation that the first click created. Raises as `create_organisation`.
    """
    if actor.user_id is None:
        raise NotPermitted
    with transaction.atomic():
        # The user's row is all that two requests have in common before there is an organisation.
        User.objects.select_for_update(no_key=True).get(pk=actor.user_id)
        with scope(Scope.everything()):
            members = Member.objects.filter(user_id=actor.user_id).order_by("pk")
            organisation_id = members.values_list("organisation_id", flat=True).first()
        return organisation_id or create_organisation(actor=actor, kind=kind, name=name).pk


def _insert(*, kind: OrganisationKind | str, status: OrganisationStatus | str, name: str) -> Organisation:
    for _attempt in range(MOST_NAMESAKES):
        try:
            with transaction.atomic():
                return Organisation.objects.create(kind=kind, status=status, name=name, slug=free_slug(name))
        except IntegrityError:
            # Another company of this name signed up at this moment: the next free short name.
            continue
    raise Conflict(_("Too many companies of this name sign up at this moment. Try again."), code="name_busy")


def free_slug(name: str) -> str:
    """Return a unique slug for an organisation: numbered, or with a number at random for common names."""
    base = slugify(name, allow_unicode=True)[:70] or "organisation"
    slugs = [base, *(f"{base}-{number}" for number in range(2, MOST_NUMBERED + 1))]
    taken = set(Organisation.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    # Thousands may have the name: nobody counts them.
    return next((slug for slug in slugs if slug not in taken), f"{base}-{secrets.randbelow(10**8):08}")


def worker_of_organisation(organisation_id: int, *, label: str) -> Actor:
    """Return the actor of a task for an organisation, with the organisation's current capabilities."""
    with scope(Scope.everything()):
        organisation = Organisation.objects.get(pk=organisation_id)
    return actor_of_organisation(organisation, kind="system", label=label)
