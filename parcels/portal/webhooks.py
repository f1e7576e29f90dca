"""Pages of webhooks: the list, one endpoint with what it was sent, one message."""

import json
from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.cursors import Order, moment, number
from alliance.errors import AllianceError, InvalidInput
from alliance.identifiers import tracking_number
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import Listing, Sort
from alliance.tenancy import Actor, require, require_member
from alliance.web.requests import ActorRequest
from parcels.choices import ReplayKind, WebhookState
from parcels.models import WebhookDelivery, WebhookEndpoint
from parcels.portal.webhook_forms import DeliveryFilterForm, EndpointForm, ReplayForm
from parcels.webhooks import queries
from parcels.webhooks.sending import ERRORS
from parcels.webhooks.services import endpoints, replaying
from parcels.webhooks.services.endpoints import endpoint_of
from parcels.webhooks.topics import TOPICS

# A new secret, from the redirect until the next page.
_SECRET: Final = "new_webhook_secret"  # noqa: S105 -- the name in the session
LIST: Final = Listing(
    "webhook_deliveries",
    {"at": Sort(gettext_lazy("Time"), Order((("at", moment), ("id", number))))},
)
PAGE_SIZE: Final = 25
_REPLAYS_SHOWN: Final = 5


@require_safe
@login_required
def webhook_list(request: ActorRequest) -> HttpResponse:
    """List the endpoints of the actor's organisation."""
    actor = request.actor
    require_member(actor, Capability.MANAGE_WEBHOOKS)
    now = timezone.now()
    rows = [(endpoint, queries.figures_of(endpoint, now)) for endpoint in queries.endpoints_of(actor)]
    return render(request, "parcels/webhook_list.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def webhook_create(request: ActorRequest) -> HttpResponse:
    """Add an endpoint; its page then shows the secret, once."""
    actor = request.actor
    require_member(actor, Capability.MANAGE_WEBHOOKS)
    form = EndpointForm(request.POST or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        try:
            endpoint, secret = endpoints.create_endpoint(actor=actor, draft=form.draft)
        except InvalidInput as error:
            add_service_errors(form, error)
        except AllianceError as error:
            form.add_error(None, error.detail)
        else:
            _remember(request, endpoint, secret)
            return redirect("parcels:webhook_detail", endpoint.code)
    return _form_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def webhook_edit(request: ActorRequest, code: str) -> HttpResponse:
    """Change an endpoint's address and events."""
    actor = request.actor
    endpoint = endpoint_of(actor, code)
    form = EndpointForm(request.POST or None, actor=actor, endpoint=endpoint)
    if request.method == "POST" and form.is_valid():
        try:
            endpoints.change_endpoint(actor=actor, code=code, draft=form.draft)
        except InvalidInput as error:
            add_service_errors(form, error)
        else:
            messages.success(request, _("The webhook was changed."))
            return redirect("parcels:webhook_detail", code)
    return _form_page(request, form, endpoint)


@never_cache
@require_safe
@login_required
def webhook_detail(request: ActorRequest, code: str) -> HttpResponse:
    """Show an endpoint: its state, figures, secrets and what it was sent."""
    return _detail_page(request, endpoint_of(request.actor, code), ReplayForm())


@require_safe
@login_required
def webhook_delivery(request: ActorRequest, code: str, message: str) -> HttpResponse:
    """Show a message: its body, and every attempt with what was answered."""
    actor = request.actor
    endpoint = endpoint_of(actor, code)
    delivery = replaying.delivery_of(actor, endpoint, message)
    body = json.loads(queries.body_to_read(actor, delivery))
    context = {
        "endpoint": endpoint,
        "delivery": delivery,
        "number": _number(delivery),
        "about": _about(delivery.topic),
        "body": json.dumps(body, ensure_ascii=False, indent=2),
        "attempts": [_attempt(entry) for entry in reversed(delivery.log)],
    }
    return render(request, "parcels/webhook_delivery.html", context)


@require_POST
@login_required
def webhook_replay_one(request: ActorRequest, code: str, message: str) -> HttpResponse:
    """Send a message again."""
    _try(request, lambda actor: replaying.replay_delivery(actor=actor, code=code, message=message),
         _("The message is sent again, with the same id."))  # fmt: skip
    return redirect("parcels:webhook_delivery", code, message)


@require_POST
@login_required
def webhook_replay(request: ActorRequest, code: str) -> HttpResponse:
    """Begin to send a time again."""
    actor = request.actor
    endpoint = endpoint_of(actor, code)
    form = ReplayForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            replaying.start_replay(
                actor=actor,
                code=code,
                kind=ReplayKind(data["kind"]),
                starts_at=data["start"],
                ends_at=data["end"],
            )
        except InvalidInput as error:
            form.add_error("start", str(error.errors[0].message))
        except AllianceError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("What you chose is being prepared, and then sent."))
            return redirect("parcels:webhook_detail", code)
    return _detail_page(request, endpoint, form)


@require_POST
@login_required
def webhook_pause(request: ActorRequest, code: str) -> HttpResponse:
    _try(request, lambda actor: endpoints.pause_endpoint(actor=actor, code=code),
         _("Paused. What happens now waits until you resume it."))  # fmt: skip
    return redirect("parcels:webhook_detail", code)


@require_POST
@login_required
def webhook_resume(request: ActorRequest, code: str) -> HttpResponse:
    _try(request, lambda actor: endpoints.resume_endpoint(actor=actor, code=code), _("Resumed."))
    return redirect("parcels:webhook_detail", code)


@require_POST
@login_required
def webhook_test(request: ActorRequest, code: str) -> HttpResponse:
    """Send a test message, and lead to it."""
    sent = _try(request, lambda actor: endpoints.send_test(actor=actor, code=code), "")
    if sent is None:
        return redirect("parcels:webhook_detail", code)
    messages.success(request, _("A test message is on its way. Reload the page for the answer."))
    return redirect("parcels:webhook_delivery", code, sent.message_id)


@require_POST
@login_required
def webhook_rotate(request: ActorRequest, code: str) -> HttpResponse:
    """Add a secret, which the next page shows, once."""
    rotated = _try(request, lambda actor: endpoints.rotate_secret(actor=actor, code=code), "")
    if rotated is not None:
        _remember(request, *rotated)
    return redirect("parcels:webhook_detail", code)


@require_POST
@login_required
def webhook_end_secrets(request: ActorRequest, code: str) -> HttpResponse:
    _try(request, lambda actor: endpoints.end_old_secrets(actor=actor, code=code),
         _("Only the newest secret signs from now on."))  # fmt: skip
    return redirect("parcels:webhook_detail", code)


@require_POST
@login_required
def webhook_delete(request: ActorRequest, code: str) -> HttpResponse:
    endpoints.delete_endpoint(actor=request.actor, code=code)
    messages.success(request, _("The webhook was deleted."))
    return redirect("parcels:webhook_list" if request.actor.organisation_id else "home")


def _try(request: ActorRequest, work: Callable[[Actor], Any], success: str) -> Any:
    """Do something; on a refusal that the reader can do something about, say so and return None."""
    require(request.actor, Capability.MANAGE_WEBHOOKS)
    try:
        done = work(request.actor)
    except AllianceError as error:
        if error.status in (403, 404):
            raise
        messages.error(request, error.detail)
        return None
    if success:
        messages.success(request, success)
    return done


def _form_page(request: ActorRequest, form: EndpointForm, endpoint: WebhookEndpoint | None) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, "parcels/webhook_form.html", {"form": form, "endpoint": endpoint}, status=status)


def _detail_page(request: ActorRequest, endpoint: WebhookEndpoint, replay: ReplayForm) -> HttpResponse:
    actor, now = request.actor, timezone.now()
    form = DeliveryFilterForm(request.GET)
    filters = form.filters
    rows = queries.deliveries_of(
        actor,
        endpoint,
        state=filters.get("state"),
        topic=filters.get("topic"),
        parcel_id=filters.get("number"),
    )
    page = LIST.page(form.among(rows), LIST.asked(request, form.params), size=PAGE_SIZE)
    replays = list(queries.replays_of(actor, endpoint)[:_REPLAYS_SHOWN])
    context = {
        "endpoint": endpoint,
        "is_off": endpoint.state == WebhookState.DISABLED,
        "may_resume": actor.is_ops or not endpoint.is_stopped_by_ops,
        "topics": [(name, _about(name)) for name in endpoint.topics],
        "figures": queries.figures_of(endpoint, now),
        "secrets": queries.secrets_of(endpoint, now),
        "secret": _new_secret(request, endpoint),
        "form": form,
        "rows": [(delivery, _number(delivery)) for delivery in page.rows],
        "replay_form": replay,
        "replays": replays,
        "is_preparing": any(not each.is_finished for each in replays),
        **page.context,
    }
    status = 422 if form.errors or replay.errors else page.status
    return render(request, "parcels/webhook_detail.html", context, status=status)


def _remember(request: ActorRequest, endpoint: WebhookEndpoint, secret: str) -> None:
    request.session[_SECRET] = [endpoint.code, secret]


def _new_secret(request: ActorRequest, endpoint: WebhookEndpoint) -> str:
    if request.method != "GET" or request.headers.get("HX-Request"):
        return ""
    code, secret = request.session.pop(_SECRET, (None, ""))
    return str(secret) if code == endpoint.code else ""


def _number(delivery: WebhookDelivery) -> str:
    return tracking_number(delivery.parcel_id) if delivery.parcel_id > 0 else ""


def _about(topic: str) -> str:
    return str(TOPICS[topic].about) if topic in TOPICS else _("A test message.")


def _attempt(entry: dict[str, Any]) -> dict[str, Any]:
    error = entry["error"]
    return {
        **entry,
        "at": parse_datetime(entry["at"]),
        "outcome": _(ERRORS[error]) if error in ERRORS else error or str(entry["status"]),
        "is_good": entry["status"] is not None and 200 <= entry["status"] < 300,
    }
