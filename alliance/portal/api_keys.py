"""Pages of API keys."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from alliance.choices import Capability
from alliance.errors import InvalidInput
from alliance.members.services import api_keys
from alliance.models import ApiKey
from alliance.portal.forms import ApiKeyForm, add_service_errors
from alliance.tenancy import require
from alliance.web.requests import ActorRequest


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def api_key_list(request: ActorRequest) -> HttpResponse:
    """List the keys; create one and show its secret once."""
    actor = request.actor
    require(actor, Capability.MANAGE_KEYS)
    form = ApiKeyForm(request.POST or None, actor=actor)
    # Not paginated: keys are created by hand, so a page holds them all.
    context = {"form": form, "keys": ApiKey.objects.visible_to(actor).order_by("revoked_at", "-created_at")}
    if request.method == "POST" and form.is_valid():
        try:
            context["made"], context["token"] = api_keys.create_api_key(actor=actor, **form.cleaned_data)
            context["form"] = ApiKeyForm(actor=actor)
        except InvalidInput as error:
            add_service_errors(form, error)
    status = 422 if form.errors else 200
    return render(request, "alliance/api_key_list.html", context, status=status)


@require_POST
@login_required
def api_key_revoke(request: ActorRequest, api_key_id: int) -> HttpResponse:
    """Revoke a key permanently."""
    key = api_keys.revoke_api_key(actor=request.actor, api_key_id=api_key_id)
    messages.success(request, _("The key “%(name)s” no longer works.") % {"name": key.name})
    return redirect("api_key_list")
