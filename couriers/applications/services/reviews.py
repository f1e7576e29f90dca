"""Decisions of ops on an application: request more, approve, reject."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alliance.choices import Capability, OrganisationStatus
from alliance.errors import Conflict, InvalidInput, NotPermitted
from alliance.models import Contact, Member, Organisation
from alliance.tenancy import Actor, require
from couriers.applications.models import Application
from couriers.applications.rules import check_note, check_reason
from couriers.applications.services.applications import change_state, lock_application
from couriers.choices import ApplicationState
from couriers.homes.services import give_first_home
from couriers.standing.models import Courier


@transaction.atomic
def request_more(
    *, actor: Actor, application_id: int, reason: str, reviewed_submission: datetime | None = None
) -> Application:
    """Return a submitted application to the applicant with a request for more.

    The same request again changes nothing. Raises InvalidInput without a reason, Conflict in any other
    state, or when it was submitted again after `reviewed_submission`, the time of the submission reviewed.
    """
    application = _lock_for_review(actor, application_id, reviewed_submission)
    return _decide(actor, application, ApplicationState.MORE_NEEDED, reason=_require_reason(reason))


@transaction.atomic
def reject_application(
    *,
    actor: Actor,
    application_id: int,
    reason: str,
    reviewed_submission: datetime | None = None,
    now: datetime | None = None,
) -> Application:
    """Reject an application permanently; the company may start a new one.

    The same rejection again changes nothing. Raises InvalidInput without a reason, Conflict in any other
    state.
    """
    application = _lock_for_review(actor, application_id, reviewed_submission)
    if application.state != ApplicationState.REJECTED:
        application.decided_at = now or timezone.now()
    return _decide(actor, application, ApplicationState.REJECTED, reason=_require_reason(reason))


@transaction.atomic
def approve_application(
    *,
    actor: Actor,
    application_id: int,
    reason: str = "",
    reviewed_submission: datetime | None = None,
    now: datetime | None = None,
) -> Courier:
    """Make the applicant an active courier of the alliance, with the same owner.

    A second call returns the courier. Raises Conflict in any other state, or when a courier with the same
    credit code is a member already.
    """
    application = _lock_for_review(actor, application_id, reviewed_submission)
    if application.state == ApplicationState.APPROVED:
        return Courier.objects.get(pk=application.organisation_id)
    text, errors = check_note(reason, field="reason")
    if errors:
        raise InvalidInput(errors=errors)
    moment = now or timezone.now()
    application.decided_at = moment
    change_state(actor, application, ApplicationState.APPROVED, reason=text)
    courier = _become_courier(application, moment)
    count = Organisation.objects.filter(
        pk=application.organisation_id, status=OrganisationStatus.APPLICANT
    ).update(status=OrganisationStatus.ACTIVE)
    if not count:
        message = _("The organisation is not an applicant.")
        raise Conflict(message, code="wrong_organisation_status")
    return courier


def remarks_on(application: Application) -> list[str]:
    """Return remarks for ops about the application, from data of the whole alliance."""
    remarks = []
    if application.credit_code:
        members = Courier.objects.filter(credit_code=application.credit_code)
        if members.exclude(pk=application.organisation_id).exists():
            remarks.append(_("A member already has this unified social credit code."))
        same_code = Application.objects.filter(credit_code=application.credit_code)
        if count := same_code.exclude(organisation_id=application.organisation_id).count():
            text = ngettext(
                "%(n)d other company has applied with this unified social credit code.",
                "%(n)d other companies have applied with this unified social credit code.",
                count,
            )
            remarks.append(text % {"n": count})
    earlier_rejections = Application.objects.filter(
        organisation_id=application.organisation_id, state=ApplicationState.REJECTED
    )
    if earlier_rejections.exclude(pk=application.pk).exists():
        remarks.append(_("An earlier application of this company was rejected."))
    return remarks


def _lock_for_review(actor: Actor, application_id: int, reviewed_submission: datetime | None) -> Application:
    require(actor, Capability.OPERATE)
    application = lock_application(actor=actor, application_id=application_id)
    colleagues = Member.objects.filter(organisation_id=application.organisation_id)
    if actor.user_id is not None and colleagues.filter(user_id=actor.user_id).exists():
        raise NotPermitted(_("You cannot decide on an application of your own company."))
    # It was returned to the applicant and submitted again after the page was opened.
    if reviewed_submission is not None and application.submitted_at != reviewed_submission:
        message = _("The application was submitted again in the meantime. Review the new version.")
        raise Conflict(message, code="changed_meanwhile")
    return application


def _require_reason(reason: str) -> str:
    text, errors = check_reason(reason)
    if errors:
        raise InvalidInput(errors=errors)
    return text


def _decide(actor: Actor, application: Application, state: ApplicationState, *, reason: str) -> Application:
    if application.state == state:
        last = application.events.order_by("-at", "-pk").first()
        if last is not None and last.reason == reason:
            return application
    change_state(actor, application, state, reason=reason)
    return application


def _become_courier(application: Application, joined_at: datetime) -> Courier:
    details = {
        "legal_name": application.legal_name,
        "credit_code": application.credit_code,
        "permit_number": application.permit_number,
        "joined_at": joined_at,
    }
    contact = {
        "name": application.contact_name,
        "phone": application.contact_phone,
        "email": application.contact_email,
    }
    try:
        with transaction.atomic():
            # update_or_create: a courier with imported history has its row already.
            courier, is_new = Courier.objects.update_or_create(
                organisation_id=application.organisation_id, defaults=details
            )
    except IntegrityError as error:
        message = _("A member already has this unified social credit code.")
        raise Conflict(message, code="credit_code_taken") from error
    Contact.objects.update_or_create(organisation_id=application.organisation_id, defaults=contact)
    if is_new:
        give_first_home(courier_id=courier.pk, now=timezone.now())
    return courier
