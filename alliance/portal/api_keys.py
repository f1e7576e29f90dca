"""Pages of API keys."""

from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from alliance.choices import Capability
from alliance.cursors import Order, moment, number, word
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.members.queries import keys_of
from alliance.members.services import api_keys
from alliance.models import ApiKey
from alliance.portal.api_key_forms import ApiKeyForm
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import Listing, Sort
from alliance.tenancy import Actor, require_member
from alliance.web.requests import ActorRequest

# The secret of a new key, from the redirect after its creation until the next page.
_SECRET_KEY = "new_api_key"  # noqa: S105 -- the name in the session

BY_STATE: Final = "state"
LIST: Final = Listing(
    "keys",
    {
        BY_STATE: Sort(gettext_lazy("Live keys first")),
        "name": Sort(gettext_lazy("Name"), Order((("name", word), ("pk", number))), True),
        "ends": Sort(gettext_lazy("Works until"), Order((("expires_at", moment), ("pk", number))), True),
        "used": Sort(gettext_lazy("Last used"), Order((("last_used_at", moment), ("pk", number)))),
    },
)


@never_cache
@require_safe
@login_required
def api_key_list(request: ActorRequest) -> HttpResponse:
    """List the keys. After one was created, show its secret, once: reloading makes no other."""
    actor = request.actor
    require_member(actor, Capability.MANAGE_KEYS)
    # Not paginated: keys are created by hand, so a page holds them all.
    asked, keys = LIST.asked(request), keys_of(actor)
    if asked.column != BY_STATE:
        keys = asked.in_order(keys)
    context = {"keys": keys, "token": _new_secret(request), "sorting": asked}
    return render(request, "alliance/api_key_list.html", context, status=422 if asked.is_refused else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def api_key_create(request: ActorRequest) -> HttpResponse:
    """Ask what a key is for, and create it. The list shows its secret."""
    actor = request.actor
    require_member(actor, Capability.MANAGE_KEYS)
    form = ApiKeyForm(request.POST or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        try:
            _key, secret = api_keys.create_api_key(actor=actor, **form.values)
            return _with_secret(request, secret)
        except InvalidInput as error:
            add_service_errors(form, error)
    return render(request, "alliance/api_key_create.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def api_key_rotate(request: ActorRequest, api_key_id: int) -> HttpResponse:
    """Say what rotating does, and do it. The list shows the new secret."""
    key = _key(request.actor, api_key_id)
    if request.method == "POST":
        try:
            _new, secret = api_keys.rotate_api_key(actor=request.actor, api_key_id=key.pk)
        except Conflict as error:
            messages.error(request, error.detail)
            return redirect("api_key_list")
        return _with_secret(request, secret)
    context = {"key": key, "old_until": timezone.localtime(timezone.now() + api_keys.GRACE)}
    return render(request, "alliance/api_key_rotate.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def api_key_revoke(request: ActorRequest, api_key_id: int) -> HttpResponse:
    """Say when a key was last used, and revoke it permanently."""
    key = _key(request.actor, api_key_id)
    if request.method == "POST":
        api_keys.revoke_api_key(actor=request.actor, api_key_id=key.pk)
        messages.success(request, _("The key “%(name)s” no longer works.") % {"name": key.name})
        return redirect("api_key_list")
    return render(request, "alliance/api_key_revoke.html", {"key": key})


def _with_secret(request: ActorRequest, secret: str) -> HttpResponse:
    request.session[_SECRET_KEY] = [request.actor.organisation_id, secret]
    return redirect("api_key_list")


def _new_secret(request: ActorRequest) -> str:
    if request.method != "GET":
        return ""
    organisation_id, secret = request.session.pop(_SECRET_KEY, (None, ""))
    return str(secret) if organisation_id == request.actor.organisation_id else ""


def _key(actor: Actor, api_key_id: int) -> ApiKey:
    require_member(actor, Capability.MANAGE_KEYS)
    key = ApiKey.objects.visible_to(actor).filter(pk=api_key_id).first()
    if key is None:
        raise NotFound
    return key
