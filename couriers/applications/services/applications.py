"""The applicant's side: start an application, fill it in by parts, submit it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit, events, mails
from alliance.choices import Capability, OrganisationStatus
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.events import Topic
from alliance.jobs import after_commit
from alliance.members.queries import staff_who_may
from alliance.models import City, Organisation
from alliance.tenancy import Actor, require
from couriers.applications.models import Application, ApplicationEvent, ServiceCity
from couriers.applications.rules import EDITABLE, STEP_FIELDS, Missing, check_note, check_step, may_become
from couriers.applications.rules import missing as missing_parts
from couriers.choices import ApplicationState, Step

# The fields that a new application copies from a rejected one.
_KEPT = (*STEP_FIELDS[Step.COMPANY], *STEP_FIELDS[Step.CONTACT])
# No application becomes a draft again.
_TOPICS: Final[Mapping[ApplicationState, Topic]] = {
    ApplicationState.SUBMITTED: Topic.APPLICATION_SUBMITTED,
    ApplicationState.MORE_NEEDED: Topic.APPLICATION_MORE_NEEDED,
    ApplicationState.APPROVED: Topic.APPLICATION_APPROVED,
    ApplicationState.REJECTED: Topic.APPLICATION_REJECTED,
}


@transaction.atomic
def start_application(*, actor: Actor, language: str = "en") -> Application:
    """Start the application of the actor's courier company.

    A second call returns the existing one. After a rejection, a new draft starts with the data of the old
    one. Raises NotPermitted unless the actor is a courier's owner or manager, Conflict for members.
    """
    require(actor, Capability.APPLY)
    if not actor.is_courier:
        raise NotPermitted
    # Lock the company: two tabs starting at once must get the same application.
    organisation = Organisation.objects.visible_to(actor).select_for_update().get(pk=actor.organisation_id)
    current = Application.objects.visible_to(actor).newest_first().first()
    if current is not None and current.state != ApplicationState.REJECTED:
        return current
    if organisation.status != OrganisationStatus.APPLICANT:
        raise Conflict(_("Your company is already a member."), code="already_member")
    values = (
        {name: getattr(current, name) for name in _KEPT} if current else {"legal_name": organisation.name}
    )
    application = Application.objects.create(
        organisation=organisation, created_by_id=actor.user_id, language=language, **values
    )
    if current is not None:
        _copy_cities(current, application)
    audit.record(
        actor=actor,
        verb="application.started",
        object_type="application",
        object_id=application.pk,
        organisation_id=organisation.pk,
    )
    return application


@transaction.atomic
def save_application_step(
    *,
    actor: Actor,
    application_id: int,
    step: Step | str,
    values: Mapping[str, Any],
    now: datetime | None = None,
) -> Application:
    """Save one step of an application, which may be incomplete, but not invalid.

    For the cities, `values["cities"]` is the complete set of ids. Saving the same again changes nothing.
    Raises InvalidInput with an error per field, Conflict when the application is not open for changes.
    """
    application = lock_application(actor=actor, application_id=application_id, editable=True)
    if step == Step.CITIES:
        _set_cities(application, set(values.get("cities", ())))
    elif step in STEP_FIELDS:
        moment = now or timezone.now()
        clean, errors = check_step(step, values, today=timezone.localdate(moment))
        if errors:
            raise InvalidInput(errors=errors)
        for name, value in clean.items():
            setattr(application, name, value)
        application.updated_at = moment
        application.save(update_fields=[*clean, "updated_at"])
    else:
        raise InvalidInput(errors=[FieldError("/step", _("Unknown step."), "choice")])
    _record_edit(actor, application, {"step": str(step)})
    return application


@transaction.atomic
def add_service_cities(*, actor: Actor, application_id: int, city_ids: Iterable[int]) -> int:
    """Add service cities; return how many were new. Unknown ones raise InvalidInput."""
    application = lock_application(actor=actor, application_id=application_id, editable=True)
    count = _add_cities(application, set(city_ids))
    _record_edit(actor, application, {"step": Step.CITIES.value, "added": count})
    return count


@transaction.atomic
def remove_service_cities(*, actor: Actor, application_id: int, city_ids: Iterable[int]) -> int:
    """Remove service cities; return how many. A second call removes none."""
    application = lock_application(actor=actor, application_id=application_id, editable=True)
    count, _by_model = application.service_cities.filter(city_id__in=set(city_ids)).delete()
    _record_edit(actor, application, {"step": Step.CITIES.value, "removed": count})
    return count


@transaction.atomic
def submit_application(
    *, actor: Actor, application_id: int, note: str = "", language: str = "", now: datetime | None = None
) -> Application:
    """Submit the application to the alliance, with a `note`.

    Submitting it again changes nothing. Raises InvalidInput with every missing part, Conflict once the
    alliance has decided.
    """
    application = lock_application(actor=actor, application_id=application_id)
    if application.state == ApplicationState.SUBMITTED:
        return application
    note, errors = check_note(note)
    if errors:
        raise InvalidInput(errors=errors)
    if may_become(application.state, ApplicationState.SUBMITTED):
        lacking = missing_from(application)
        if lacking:
            errors = [FieldError(f"/{item.step}/{item.field}", item.label, "required") for item in lacking]
            message = _("Some steps of the application are incomplete.")
            raise InvalidInput(message, code="incomplete", errors=errors)
    application.submitted_at = now or timezone.now()
    application.language = language or application.language
    change_state(actor, application, ApplicationState.SUBMITTED, reason=note)
    mails.write_mails(
        to=staff_who_may("alliance.operate"),
        template="couriers/mail/to_review",
        context={"company": mails.without_links(application.legal_name)},
        path=reverse("admin:couriers_application_change", args=[application.pk]),
    )
    return application


def missing_from(application: Application) -> list[Missing]:
    """Return the missing parts of an application."""
    values = {name: getattr(application, name) for name in _KEPT}
    kinds: Collection[str] = set(application.documents.values_list("kind", flat=True))
    return missing_parts(values, cities=application.service_cities.count(), documents=kinds)


def lock_application(
    *, actor: Actor, application_id: int, editable: bool = False, or_approved: bool = False
) -> Application:
    """Return the application, locked until the transaction ends.

    Raises NotPermitted, NotFound for those of others, and Conflict if `editable` and it is not open for
    changes: another tab may have submitted it meanwhile.
    """
    require(actor, Capability.APPLY)
    application = (
        Application.objects.visible_to(actor)
        .select_for_update(of=("self",))
        .filter(pk=application_id)
        .first()
    )
    if application is None:
        raise NotFound
    is_kept = or_approved and application.state == ApplicationState.APPROVED
    if editable and application.state not in EDITABLE and not is_kept:
        message = _("This application cannot be changed now: %(state)s.")
        raise Conflict(message % {"state": application.get_state_display()}, code="not_editable")
    return application


def change_state(actor: Actor, application: Application, state: ApplicationState, *, reason: str) -> None:
    """Change the state of a locked application, and record it in history, audit log and outbox.

    The mail is sent after the commit. Raises Conflict for a transition that is not in the table.
    """
    if not may_become(application.state, state):
        message = _("This application cannot be changed to “%(new)s”: it is “%(old)s”.")
        labels = {"new": state.label, "old": application.get_state_display()}
        raise Conflict(message % labels, code="wrong_state")
    application.state = state
    application.updated_at = timezone.now()
    application.save(update_fields=["state", "updated_at", "submitted_at", "decided_at", "language"])
    event = ApplicationEvent.objects.create(
        organisation_id=application.organisation_id,
        application=application,
        state=state,
        reason=reason,
        actor_label=actor.label[:160],
    )
    audit.record(
        actor=actor,
        verb=f"application.{state}",
        object_type="application",
        object_id=application.pk,
        organisation_id=application.organisation_id,
        detail={"reason": reason} if reason else {},
    )
    payload = {"application_id": application.pk, "state": str(state)}
    topic = _TOPICS[state]
    events.record([events.NewEvent(topic, courier_id=application.organisation_id, payload=payload)])
    after_commit("couriers.tasks.mail_application_event", event.pk)


def _record_edit(actor: Actor, application: Application, detail: dict[str, Any]) -> None:
    Application.objects.filter(pk=application.pk).update(updated_at=timezone.now())
    audit.record(
        actor=actor,
        verb="application.saved",
        object_type="application",
        object_id=application.pk,
        organisation_id=application.organisation_id,
        detail=detail,
    )


def _set_cities(application: Application, city_ids: set[int]) -> None:
    application.service_cities.filter(~Q(city_id__in=city_ids)).delete()
    _add_cities(application, city_ids)


def _add_cities(application: Application, city_ids: set[int]) -> int:
    there = set(application.service_cities.values_list("city_id", flat=True))
    new = city_ids - there
    existing = set(City.objects.filter(pk__in=new).values_list("pk", flat=True))
    if existing != new:
        raise InvalidInput(errors=[FieldError("/cities", _("Choose cities from the list."), "choice")])
    ServiceCity.objects.bulk_create(
        ServiceCity(organisation_id=application.organisation_id, application=application, city_id=city_id)
        for city_id in sorted(new)
    )
    return len(new)


def _copy_cities(old: Application, new: Application) -> None:
    _add_cities(new, set(old.service_cities.values_list("city_id", flat=True)))
