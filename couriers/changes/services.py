"""Correct a courier's data after its approval: by itself, by a request to ops, or by ops."""

from collections.abc import Mapping
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit, mails
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.members.queries import refuse_own, staff_who_may
from alliance.members.services.contacts import contact_of, set_contact
from alliance.members.services.standing import owners_of
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, require, scope
from couriers.applications.models import Application, ServiceCity
from couriers.applications.rules import NAME_LENGTH, check_note, check_reason, check_step, name_problem, tidy
from couriers.changes.models import ChangeRequest
from couriers.changes.rules import CONTACT, DOCUMENT, differences
from couriers.choices import ApplicationState, ChangeState, Step
from couriers.documents.models import Document
from couriers.documents.services import add_document, discard_document
from couriers.standing.models import Courier


def reviewed_values(courier: Courier) -> dict[str, Any]:
    """Return the data that only ops change, as it is now; cities by id, for an approved application only."""
    values: dict[str, Any] = {
        "name": courier.organisation.name,
        "legal_name": courier.legal_name,
        "credit_code": courier.credit_code,
        "permit_number": courier.permit_number,
    }
    if (application := _approved(courier.pk)) is not None:
        values["cities"] = sorted(application.service_cities.values_list("city_id", flat=True))
    return values


@transaction.atomic
def change_contact(*, actor: Actor, values: Mapping[str, Any]) -> Courier:
    """Change the contact of the actor's courier at once. Raises InvalidInput with an error per field."""
    courier = _own(actor)
    clean, errors = check_step(Step.CONTACT, values, today=timezone.localdate())
    errors += [
        FieldError(f"/{name}", _("Enter a value."), "required") for name in CONTACT if not clean.get(name)
    ]
    if errors:
        raise InvalidInput(errors=errors)
    changed = differences(contact_of(courier.pk), clean)
    if changed:
        set_contact(courier.pk, changed)
        _record(actor, "courier.contact_changed", courier.pk, {"fields": sorted(changed)})
    return courier


@transaction.atomic
def propose_change(*, actor: Actor, values: Mapping[str, Any], note: str = "") -> ChangeRequest:
    """Propose other data of the actor's courier; ops are mailed and decide.

    Raises InvalidInput for wrong values or none that differ, Conflict while another proposal waits.
    """
    courier = _own(actor)
    clean, errors = _check(values)
    text, note_errors = check_note(note)
    if errors := [*errors, *note_errors]:
        raise InvalidInput(errors=errors)
    before = reviewed_values(courier)
    changed = differences(before, clean)
    if not changed:
        raise InvalidInput(_("Nothing differs from the data we have."), code="unchanged")
    _require_none_waiting(courier)
    return _propose(
        actor, courier, before={name: before[name] for name in changed}, values=changed, note=text
    )


def _require_none_waiting(courier: Courier) -> None:
    if ChangeRequest.objects.filter(organisation_id=courier.pk, state=ChangeState.WAITING).exists():
        raise Conflict(_("Another change waits for the alliance. Withdraw it first."), code="change_waiting")


def _propose(
    actor: Actor, courier: Courier, *, before: Mapping[str, Any], values: Mapping[str, Any], note: str = ""
) -> ChangeRequest:
    request = ChangeRequest.objects.create(
        organisation_id=courier.pk, before=before, values=values, note=note, requested_by_id=actor.user_id
    )
    _record(actor, "courier.change_proposed", courier.pk, {"fields": sorted(values)})
    mails.write_mails(
        to=staff_who_may("alliance.operate"),
        template="couriers/mail/change_to_review",
        context={"company": mails.without_links(courier.legal_name)},
        path=reverse("admin:couriers_changerequest_change", args=[request.pk]),
    )
    return request


@transaction.atomic
def propose_document(*, actor: Actor, document_id: int, upload: "File[bytes]") -> ChangeRequest:
    """Propose a file in place of a document of the approved application; ops are mailed and decide.

    Until then both are kept. Raises InvalidInput for an unusable file or one that is there already, NotFound
    for documents of others, Conflict while another proposal waits.
    """
    courier = _own(actor)
    old = Document.objects.filter(
        pk=document_id, organisation_id=courier.pk, application__state=ApplicationState.APPROVED
    ).first()
    if old is None:
        raise NotFound
    _require_none_waiting(courier)
    there = set(old.application.documents.values_list("pk", flat=True))
    new = add_document(actor=actor, application_id=old.application_id, kind=old.kind, upload=upload)
    if new.pk in there:
        raise InvalidInput(errors=[FieldError("/file", _("This file is there already."), "unchanged")])
    return _propose(actor, courier, before={DOCUMENT: _named(old)}, values={DOCUMENT: _named(new)})


@transaction.atomic
def withdraw_change(*, actor: Actor, change_id: int) -> None:
    """Withdraw a proposal that waits. A second call changes nothing."""
    courier = _own(actor)
    request = ChangeRequest.objects.filter(pk=change_id, organisation_id=courier.pk).first()
    if request is None:
        raise NotFound
    if _end(request, ChangeState.WITHDRAWN):
        _discard(actor, request.values)
        _record(actor, "courier.change_withdrawn", courier.pk, {"fields": sorted(request.values)})


@transaction.atomic
def decide_change(*, actor: Actor, change_id: int, approve: bool, reason: str = "") -> ChangeRequest:
    """Approve a proposal, which changes the data, or decline it with a reason. The owners get a mail.

    Raises Conflict once it was decided, or when the data changed since, NotPermitted for members.
    """
    require(actor, Capability.OPERATE)
    request = ChangeRequest.objects.select_for_update().filter(pk=change_id).first()
    if request is None:
        raise NotFound
    refuse_own(actor, [request.organisation_id])
    text, errors = check_note(reason, field="reason") if approve else check_reason(reason)
    if errors:
        raise InvalidInput(errors=errors)
    courier = _locked(request.organisation_id)
    now = {**reviewed_values(courier), DOCUMENT: _still_there(request.before)}
    if approve and any(now.get(name) != value for name, value in request.before.items()):
        raise Conflict(_("The data changed since this was proposed. Decline it."), code="changed_meanwhile")
    request.reason = text
    if not _end(request, ChangeState.APPROVED if approve else ChangeState.DECLINED):
        raise Conflict(_("This change has already been decided or withdrawn."), code="decided")
    # The document that is not kept: the old one, or the one in its place.
    _discard(actor, request.before if approve else request.values)
    if approve:
        _apply(courier, request.values)
    detail = {"before": request.before, "values": request.values, "reason": text}
    verb = "courier.change_approved" if approve else "courier.change_declined"
    _record(actor, verb, courier.pk, detail)
    mails.write_mails(
        to=owners_of(courier.pk),
        template="couriers/mail/change_decided",
        context={"state": ChangeState(request.state).label, "reason": text},
        path=reverse("couriers:company_data"),
    )
    return request


@transaction.atomic
def correct_courier(*, actor: Actor, courier_id: int, values: Mapping[str, Any], reason: str) -> Courier:
    """Correct a courier's data as ops. Raises InvalidInput with an error per field, or without a reason."""
    require(actor, Capability.OPERATE)
    refuse_own(actor, [courier_id])
    courier = _locked(courier_id)
    clean, errors = _check(values)
    contact, contact_errors = check_step(Step.CONTACT, values, today=timezone.localdate())
    text, reason_errors = check_reason(reason)
    if errors := [*errors, *contact_errors, *reason_errors]:
        raise InvalidInput(errors=errors)
    before = {**reviewed_values(courier), **contact_of(courier.pk)}
    changed = differences(before, {**clean, **contact})
    if changed:
        _apply(courier, changed)
        # Contact data is about people: named, but kept in one place.
        detail = {"fields": sorted(changed), "reason": text}
        _record(actor, "courier.corrected", courier.pk, detail)
    return courier


def _own(actor: Actor) -> Courier:
    require(actor, Capability.APPLY)
    if not actor.is_courier:
        raise NotPermitted
    return _locked(actor.tenant_id)


def _locked(courier_id: int) -> Courier:
    couriers = Courier.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    courier: Courier | None = couriers.filter(pk=courier_id).first()
    if courier is None:
        raise NotFound
    return courier


def _approved(courier_id: int) -> Application | None:
    return Application.objects.filter(organisation_id=courier_id, state=ApplicationState.APPROVED).first()


def _check(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    clean, errors = check_step(Step.COMPANY, values, today=timezone.localdate())
    if "name" in values:
        clean["name"] = tidy(values["name"])
        if not clean["name"] or len(clean["name"]) > NAME_LENGTH:
            errors.append(FieldError("/name", _("Enter the company's name."), "required"))
        if problem := name_problem(clean["name"]):
            errors.append(FieldError("/name", problem, "invalid"))
    for name in {"legal_name", "credit_code", "permit_number"} & clean.keys():
        if not clean[name]:
            errors.append(FieldError(f"/{name}", _("Enter a value."), "required"))
    if "cities" in values:
        clean["cities"] = sorted(set(values["cities"]))
        if not clean["cities"] or City.objects.filter(pk__in=clean["cities"]).count() < len(clean["cities"]):
            errors.append(FieldError("/cities", _("Choose at least one service city."), "required"))
    return clean, errors


def _apply(courier: Courier, values: Mapping[str, Any]) -> None:
    if contact := {name: values[name] for name in CONTACT if name in values}:
        set_contact(courier.pk, contact)
    apart = ("name", "cities", DOCUMENT, *CONTACT)
    fields = {name: value for name, value in values.items() if name not in apart}
    try:
        with transaction.atomic():
            Courier.objects.filter(pk=courier.pk).update(**fields) if fields else None
    except IntegrityError as error:
        message = _("A member already has this unified social credit code.")
        raise Conflict(message, code="credit_code_taken") from error
    if "name" in values:
        Organisation.objects.filter(pk=courier.pk).update(name=values["name"])
    application = _approved(courier.pk)
    if "cities" in values and application is not None:
        application.service_cities.exclude(city_id__in=values["cities"]).delete()
        there = set(application.service_cities.values_list("city_id", flat=True))
        ServiceCity.objects.bulk_create(
            ServiceCity(organisation_id=courier.pk, application=application, city_id=city_id)
            for city_id in values["cities"]
            if city_id not in there
        )


def _named(document: Document) -> dict[str, Any]:
    return {"id": document.pk, "kind": document.kind, "name": document.name}


def _still_there(values: Mapping[str, Any]) -> dict[str, Any] | None:
    document = Document.objects.filter(pk=values.get(DOCUMENT, {}).get("id")).first()
    return _named(document) if document else None


def _discard(actor: Actor, values: Mapping[str, Any]) -> None:
    document = Document.objects.filter(pk=values.get(DOCUMENT, {}).get("id")).first()
    if document is None:
        return
    # An approved application's documents are deleted by the alliance alone, which kept them until now.
    with scope(Scope.everything()):
        discard_document(actor=actor, document=document, verb="document.removed")


def _end(request: ChangeRequest, state: ChangeState) -> bool:
    """End a proposal unless it was ended already; return whether this call did."""
    waiting = ChangeRequest.objects.filter(pk=request.pk, state=ChangeState.WAITING)
    request.state, request.decided_at = state, timezone.now()
    return bool(waiting.update(state=state, decided_at=request.decided_at, reason=request.reason))


def _record(actor: Actor, verb: str, courier_id: int, detail: dict[str, Any]) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="courier",
        object_id=courier_id,
        organisation_id=courier_id,
        detail=detail,
    )
