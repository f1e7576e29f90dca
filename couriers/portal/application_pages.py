"""What the pages of an application have in common: which one it is, its steps, its errors."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import linebreaksbr
from django.urls import reverse
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import AllianceError, Conflict, NotFound, NotPermitted
from alliance.portal.badges import badge_for
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from couriers.applications.rules import LABELS, STEP_FIELDS
from couriers.applications.services.applications import missing_from
from couriers.choices import ApplicationState, Step
from couriers.models import Application

REVIEW = "review"
STEP_URLS = {
    Step.COMPANY.value: "couriers:company_edit",
    Step.CONTACT.value: "couriers:contact_edit",
    Step.CITIES.value: "couriers:city_list",
    Step.DOCUMENTS.value: "couriers:document_list",
    REVIEW: "couriers:application_review",
}


def applicant(request: ActorRequest) -> Actor:
    """Return who asks, if they may work on their courier company's application."""
    actor = request.actor
    require(actor, Capability.APPLY)
    if not actor.is_courier:
        raise NotPermitted
    return actor


def current_application(actor: Actor) -> Application:
    """Return the company's newest application, or raise NotFound."""
    application = Application.objects.visible_to(actor).newest_first().first()
    if application is None:
        raise NotFound(_("Your company has not started an application yet."))
    return application


def open_application(actor: Actor) -> Application:
    """Return the application if it can be changed; Conflict says why it cannot."""
    application = current_application(actor)
    if not application.is_editable:
        message = _("This application cannot be changed now: %(state)s.")
        raise Conflict(message % {"state": application.get_state_display()}, code="not_editable")
    return application


def step_page(
    request: ActorRequest, application: Application, step: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render the page of one step with its stepper and, where more is needed, what was asked."""
    asked = None
    if application.state == ApplicationState.MORE_NEEDED:
        asked = application.events.filter(state=ApplicationState.MORE_NEEDED).first()
    shared = {"application": application, "step": step, "steps": steps(application, step), "asked": asked}
    return render(request, f"couriers/{step}.html", {**shared, **context}, status=status)


def steps(application: Application, current: str) -> list[dict[str, Any]]:
    """Return the stepper's steps; on the last one, those with gaps are marked."""
    gaps = {item.step.value for item in missing_from(application)}
    unfinished = "error" if current == REVIEW else "todo"
    labels = {**{step.value: step.label for step in Step}, REVIEW: _("Submit")}
    return [
        {
            "label": labels[name],
            "url": reverse(url),
            "state": "current" if name == current else _state(name, gaps, unfinished),
        }
        for name, url in STEP_URLS.items()
    ]


def _state(name: str, gaps: set[str], unfinished: str) -> str:
    if name == REVIEW:
        return "todo"
    return unfinished if name in gaps else "done"


def next_url(step: str) -> str:
    """Return the address of the step after this one."""
    names = list(STEP_URLS)
    return reverse(STEP_URLS[names[names.index(step) + 1]])


def put_errors(form: forms.Form, error: AllianceError) -> None:
    """Show a service's errors beside the fields they are about, the rest above the form."""
    for problem in error.errors:
        form.add_error(problem.field if problem.field in form.fields else None, problem.message)
    if not error.errors:
        form.add_error(None, error.detail)


def history(application: Application) -> list[dict[str, Any]]:
    """Return what happened to an application as entries of a timeline, newest first."""
    entries = []
    for event in application.events.all():
        badge = badge_for("application", event.state)
        title = _("Submitted") if event.state == ApplicationState.SUBMITTED else badge.label
        entries.append(
            {
                "title": title,
                "at": event.at,
                "icon": badge.icon,
                "colour": badge.colour,
                # Escapes what was typed and keeps its lines.
                "text": linebreaksbr(event.reason),
            }
        )
    started = badge_for("application", ApplicationState.DRAFT)
    entries.append(
        {
            "title": _("Started"),
            "at": application.created_at,
            "icon": started.icon,
            "colour": started.colour,
        }
    )
    return entries


def facts(application: Application) -> dict[str, Any]:
    """Return what the summary of an application shows."""
    return {
        "company_rows": _rows(application, Step.COMPANY),
        "contact_rows": _rows(application, Step.CONTACT),
        "cities": list(application.cities.all()),
        "documents": list(application.documents.all()),
    }


def _rows(application: Application, step: Step) -> list[dict[str, Any]]:
    return [
        {"label": LABELS[name], "value": _shown(getattr(application, name))} for name in STEP_FIELDS[step]
    ]


def _shown(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) else value
