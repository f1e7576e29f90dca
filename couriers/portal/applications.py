"""Pages of the application: start, edit, submit, status."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import OrganisationKind, OrganisationStatus
from alliance.errors import Conflict, InvalidInput
from alliance.tenancy import Actor
from alliance.web.requests import ActorRequest
from couriers.applications.rules import STEP_FIELDS
from couriers.applications.services import applications
from couriers.choices import ApplicationState, Step
from couriers.models import Application
from couriers.portal.application_forms import CompanyForm, ContactForm, StepForm, SubmitForm
from couriers.portal.application_pages import (
    REVIEW,
    STEP_URLS,
    applicant,
    current_application,
    facts,
    history,
    next_url,
    open_application,
    put_errors,
    step_page,
)


@require_safe
@login_required
def application_edit(request: ActorRequest) -> HttpResponse:
    """Redirect to the next page of the applicant: the start, the first missing step, or the status."""
    actor = request.actor
    if actor.organisation_id is None and not actor.is_ops:
        return redirect(f"{reverse('onboarding')}?kind={OrganisationKind.COURIER}")
    actor = applicant(request)
    application = Application.objects.visible_to(actor).newest_first().first()
    if application is None and actor.organisation_status == OrganisationStatus.APPLICANT:
        return render(request, "couriers/start.html")
    if application is None or not application.is_editable:
        return redirect("couriers:application_view")
    gaps = applications.missing_from(application)
    return redirect(STEP_URLS[gaps[0].step.value if gaps else REVIEW])


@require_POST
@login_required
def application_start(request: ActorRequest) -> HttpResponse:
    """Create the draft, or open the existing one."""
    applications.start_application(actor=applicant(request), language=translation.get_language())
    return redirect("couriers:application_edit")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def company_edit(request: ActorRequest) -> HttpResponse:
    """Edit the company's data."""
    return _edit(request, Step.COMPANY, CompanyForm)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contact_edit(request: ActorRequest) -> HttpResponse:
    """Edit the contact."""
    return _edit(request, Step.CONTACT, ContactForm)


def _edit(request: ActorRequest, step: Step, form_class: type[StepForm]) -> HttpResponse:
    actor = applicant(request)
    try:
        application = open_application(actor)
        if request.method == "POST":
            # What the form was opened with is compared with what is saved: nobody may change it in between.
            application = applications.lock_application(
                actor=actor, application_id=application.pk, editable=True
            )
        form = form_class(
            request.POST if request.method == "POST" else None, current=_stored_values(application, step)
        )
        if request.method == "POST" and form.is_valid() and _save(actor, application, step, form):
            return _after_saving(request, step)
    except Conflict as error:
        return _redirect_closed(request, error)
    return step_page(request, application, step, {"form": form}, status=422 if form.errors else 200)


def _stored_values(application: Application, step: Step) -> dict[str, Any]:
    return {name: getattr(application, name) for name in STEP_FIELDS[step]}


def _save(actor: Actor, application: Application, step: Step, form: forms.Form) -> bool:
    try:
        applications.save_application_step(
            actor=actor, application_id=application.pk, step=step, values=form.cleaned_data
        )
    except InvalidInput as error:
        put_errors(form, error)
        return False
    return True


def _after_saving(request: ActorRequest, step: Step) -> HttpResponse:
    if "later" in request.POST:
        messages.success(request, _("Saved. You can continue here at any time."))
        return redirect(STEP_URLS[step.value])
    return redirect(next_url(step.value))


def _redirect_closed(request: ActorRequest, error: Conflict) -> HttpResponse:
    # Another tab, or a colleague, has changed the state: the status page shows it.
    messages.warning(request, error.detail)
    return redirect("couriers:application_view")


@require_safe
@login_required
def application_review(request: ActorRequest) -> HttpResponse:
    """Show the whole application, and the missing parts."""
    try:
        return _review(request, open_application(applicant(request)), SubmitForm())
    except Conflict as error:
        return _redirect_closed(request, error)


@require_POST
@login_required
def application_submit(request: ActorRequest) -> HttpResponse:
    """Submit the application. A second submission from another tab leads to the status page."""
    actor = applicant(request)
    application = current_application(actor)
    form = SubmitForm(request.POST)
    if application.is_editable and not form.is_valid():
        return _review(request, application, form, status=422)
    try:
        applications.submit_application(
            actor=actor,
            application_id=application.pk,
            note=form.cleaned_data.get("note", "") if form.is_valid() else "",
            language=translation.get_language(),
        )
    except InvalidInput as error:
        # The page lists the missing parts with links; errors of the note go to its field.
        if error.reason == "incomplete":
            form.add_error(None, error.detail)
        else:
            put_errors(form, error)
        return _review(request, application, form, status=422)
    except Conflict as error:
        return _redirect_closed(request, error)
    messages.success(request, _("Your application was submitted. We will write to you when it is decided."))
    return redirect("couriers:application_view")


def _review(
    request: ActorRequest, application: Application, form: forms.Form, *, status: int = 200
) -> HttpResponse:
    gaps = [
        {"label": item.label, "url": f"{reverse(STEP_URLS[item.step.value])}#id_{item.field}"}
        for item in applications.missing_from(application)
    ]
    context = {"form": form, "gaps": gaps, **facts(application)}
    return step_page(request, application, REVIEW, context, status=status)


@require_safe
@login_required
def application_view(request: ActorRequest) -> HttpResponse:
    """Show the state of the application, the reason, and the next step."""
    actor = applicant(request)
    applications = list(Application.objects.visible_to(actor).newest_first())
    if not applications and actor.organisation_status == OrganisationStatus.APPLICANT:
        return redirect("couriers:application_edit")
    context: dict[str, Any] = {"application": None}
    if applications:
        application, *earlier = applications
        last = application.events.first()
        context |= {
            "application": application,
            "history": history(application),
            "reason": last.reason if last and last.state != ApplicationState.SUBMITTED else "",
            "earlier": [{"application": old, "history": history(old)} for old in earlier],
            **facts(application),
        }
    return render(request, "couriers/status.html", context)
