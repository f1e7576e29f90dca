"""Create the organisation of a new user: its kind and name."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from alliance.choices import OrganisationKind
from alliance.errors import AllianceError
from alliance.members.services import organisations
from alliance.portal.memberships import memberships_of
from alliance.portal.views import start_page
from alliance.tenancy import Actor
from alliance.web.middleware import SESSION_KEY
from alliance.web.requests import ActorRequest

DOORS = (OrganisationKind.MERCHANT, OrganisationKind.COURIER)
KIND_KEY = "signup_kind"


class DoorField(forms.ChoiceField):
    """Merchant or courier company; rendered as two cards by components/door_choice.html."""

    def __init__(self, **options: Any) -> None:
        choices = [(door.value, door.label) for door in DOORS]
        super().__init__(
            choices=choices, label=gettext_lazy("You are a"), widget=forms.RadioSelect, **options
        )


class OrganisationForm(forms.Form):
    """The organisation of a new user."""

    kind = DoorField()
    name = forms.CharField(
        label=gettext_lazy("Company name"),
        max_length=200,
        help_text=gettext_lazy("As on the business licence. Couriers and merchants see this name."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


def requested_kind(request: ActorRequest) -> str:
    """Return the kind of organisation from the URL or the sign-up; most users are merchants."""
    kind = request.GET.get("kind") or request.session.get(KIND_KEY, "")
    return str(kind) if kind in [door.value for door in DOORS] else ""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def onboarding(request: ActorRequest) -> HttpResponse:
    """Ask a user without an organisation for its kind and name, and create it."""
    actor = request.actor
    if actor.organisation_id is not None or actor.is_staff:
        return redirect(start_page(actor))
    form = OrganisationForm(request.POST or None, initial={"kind": requested_kind(request)})
    if request.method == "POST" and form.is_valid() and _create(request, actor, form):
        return redirect("home")
    context = {"form": form, **memberships_of(actor)}
    return render(request, "onboarding.html", context, status=422 if form.errors else 200)


def _create(request: ActorRequest, actor: Actor, form: OrganisationForm) -> bool:
    try:
        organisation_id = organisations.create_first_organisation(
            actor=actor, kind=form.cleaned_data["kind"], name=form.cleaned_data["name"]
        )
    except AllianceError as error:
        for problem in error.errors:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        if not error.errors:
            form.add_error(None, error.detail)
        return False
    request.session.pop(KIND_KEY, None)
    request.session[SESSION_KEY] = organisation_id
    if form.cleaned_data["kind"] == OrganisationKind.MERCHANT:
        welcome = _("Welcome. %(name)s is set up.") % {"name": form.cleaned_data["name"]}
        messages.success(request, welcome)
    return True
