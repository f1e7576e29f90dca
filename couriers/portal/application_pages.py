"""Helpers of the pages of an application: the current application, its steps and its errors."""

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
    """Return the actor if it may work on its courier company's application."""
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
    """Return the application if it can be changed; raises Conflict with the reason if not."""
    application = current_application(actor)
    if not application.is_editable:
        message = _("This application cannot be changed now: %(state)s.")
        raise Conflict(message % {"state": application.get_state_display()}, code="not_editable")
    return application


def step_page(
    request: ActorRequest, application: Application, step: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render the page of one step with its stepper and the request for more, if there is one."""
    request_event = None
    if application.state == ApplicationState.MORE_NEEDED:
        request_event = application.events.filter(state=ApplicationState.MORE_NEEDED).first()
    base = {
        "application": application,
        "step": step,
        "steps": steps(application, step),
        "asked": request_event,
    }
    return render(request, f"couriers/{step}.html", {**base, **context}, status=status)


def steps(application: Application, current: str) -> list[dict[str, Any]]:
    """Return the steps of the stepper; the last page marks those with missing parts."""
    gaps = {item.step.value for item in missing_from(application)}
    gap_state = "error" if current == REVIEW else "todo"
    labels = {**{step.value: step.label for step in Step}, REVIEW: _("Submit")}
    return [
        {
            "label": labels[name],
            "url": reverse(url),
            "state": "current" if name == current else _state(name, gaps, gap_state),
        }
        for name, url in STEP_URLS.items()
    ]


def _state(name: str, gaps: set[str], gap_state: str) -> str:
    if name == REVIEW:
        return "todo"
    return gap_state if name in gaps else "done"


def next_url(step: str) -> str:
    """Return the URL of the next step."""
    names = list(STEP_URLS)
    return reverse(STEP_URLS[names[names.index(step) + 1]])


def put_errors(form: forms.Form, error: AllianceError) -> None:
    """Add a service's errors to their fields, and the rest to the form."""
    for problem in error.errors:
        form.add_error(problem.field if problem.field in form.fields else None, problem.message)
    if not error.errors:
        form.add_error(None, error.detail)


def history(application: Application) -> list[dict[str, Any]]:
    """Return the history of an application as entries of a timeline, newest first."""
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
                # Escapes the text and keeps its line breaks.
                "text": linebreaksbr(event.reason),
            }
        )
    draft_badge = badge_for("application", ApplicationState.DRAFT)
    entries.append(
        {
            "title": _("Started"),
            "at": application.created_at,
            "icon": draft_badge.icon,
            "colour": draft_badge.colour,
        }
    )
    return entries


def facts(application: Application) -> dict[str, Any]:
    """Return the context of the summary of an application."""
    return {
        "company_rows": _rows(application, Step.COMPANY),
        "contact_rows": _rows(application, Step.CONTACT),
        "cities": list(application.cities.all()),
        "documents": list(application.documents.all()),
    }


def _rows(application: Application, step: Step) -> list[dict[str, Any]]:
    return [
        {"label": LABELS[name], "value": _display_value(getattr(application, name))}
        for name in STEP_FIELDS[step]
    ]


def _display_value(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) else value
