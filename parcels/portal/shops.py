"""Pages of connected shops: the list, one shop with what it sent, and its form."""

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.cursors import Order, number
from alliance.errors import AllianceError, InvalidInput
from alliance.identifiers import tracking_number
from alliance.portal.forms import add_service_errors
from alliance.portal.paging import Listing, Sort
from alliance.web.requests import ActorRequest
from parcels.booking_files.services.rows import translate_row
from parcels.choices import ShopKind, ShopOutcome, ShopReason
from parcels.models import BookingTemplate, ConnectedShop, ShopMessage
from parcels.portal.booking_column_forms import VALUE_FIELDS, label_of
from parcels.portal.booking_columns import addresses_of
from parcels.portal.shop_forms import MessageFilterForm, ShopForm
from parcels.shops import queries
from parcels.shops.services import shops
from parcels.shops.services.shops import shop_of
from slas.choices import TierCode

# A secret that was made for a shop, from the redirect until the next page.
_SECRET: Final = "new_shop_secret"  # noqa: S105 -- the name in the session
LIST: Final = Listing("shop_messages", {"at": Sort(gettext_lazy("Time"), Order((("pk", number),)))})
PAGE_SIZE: Final = 25
# As the programs' own pages name them.
_TOPICS: Final = {
    ShopKind.SHOPIFY.value: (
        pgettext_lazy("Shopify", "Order creation"),
        pgettext_lazy("Shopify", "Order update"),
        pgettext_lazy("Shopify", "Order payment"),
        pgettext_lazy("Shopify", "Order cancellation"),
    ),
    ShopKind.WOOCOMMERCE.value: (
        pgettext_lazy("WooCommerce", "Order created"),
        pgettext_lazy("WooCommerce", "Order updated"),
        pgettext_lazy("WooCommerce", "Order deleted"),
        pgettext_lazy("WooCommerce", "Order restored"),
    ),
}


@require_safe
@login_required
def shop_list(request: ActorRequest) -> HttpResponse:
    """List the merchant's connected shops."""
    actor = request.actor
    shops.require_shopkeeper(actor)
    figures = queries.figures_of(actor)
    rows = [(shop, figures.get(shop.pk, queries.Figures())) for shop in queries.shops_of(actor)]
    return render(request, "parcels/shop_list.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def shop_connect(request: ActorRequest) -> HttpResponse:
    """Connect a shop; its page then says what to do in the shop. Values of a template may be begun with."""
    actor = request.actor
    shops.require_shopkeeper(actor)
    templates = BookingTemplate.objects.visible_to(actor).order_by("name")
    given = request.GET.get("template", "")
    begun = templates.filter(pk=int(given)).first() if given.isascii() and given.isdecimal() else None
    form = ShopForm(
        request.POST or None, addresses=addresses_of(actor), values=begun.values if begun else None
    )
    if request.method == "POST" and form.is_valid():
        connected = _saved(form, lambda: shops.connect_shop(actor=actor, draft=form.draft))
        if connected is not None:
            shop, secret = connected
            request.session[_SECRET] = [shop.pk, secret]
            return redirect("parcels:shop_detail", shop.pk)
    context = {"form": form, "shop": None, "templates": templates, "begun": begun}
    return render(request, "parcels/shop_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def shop_edit(request: ActorRequest, shop_id: int) -> HttpResponse:
    """Change a shop, its secret, and the values of its template."""
    actor = request.actor
    shop = shop_of(actor, shop_id)
    form = ShopForm(request.POST or None, addresses=addresses_of(actor), shop=shop)
    if request.method == "POST" and form.is_valid():
        changed = _saved(form, lambda: shops.change_shop(actor=actor, shop_id=shop_id, draft=form.draft))
        if changed is not None:
            messages.success(request, _("The shop was changed."))
            return redirect("parcels:shop_detail", shop_id)
    context = {"form": form, "shop": shop}
    return render(request, "parcels/shop_form.html", context, status=422 if form.errors else 200)


@never_cache
@require_safe
@login_required
def shop_detail(request: ActorRequest, shop_id: int) -> HttpResponse:
    """Show a shop: how it is set up, and what became of what it sent."""
    actor = request.actor
    shop = shop_of(actor, shop_id)
    form = MessageFilterForm(request.GET)
    rows = queries.messages_of(actor, shop, **form.filters)
    page = LIST.page(form.among(rows), LIST.asked(request, form.params), size=PAGE_SIZE)
    values = shop.template.values if shop.template else {}
    context = {
        "shop": shop,
        "address": settings.PUBLIC_URL + reverse("parcels:shop_receive", args=[shop.key]),
        "secret": _new_secret(request, shop),
        "topics": _TOPICS[shop.kind],
        "values": [(label_of(name), _shown(name, values[name])) for name in VALUE_FIELDS if values.get(name)],
        "figures": queries.figures_of(actor).get(shop.pk, queries.Figures()),
        # Until it sends something, people look for how to set it up.
        "is_new": not page.rows and not form.filters,
        "form": form,
        "rows": [_row(message) for message in page.rows],
        **page.context,
    }
    status = 422 if form.errors else page.status
    return render(request, "parcels/shop_detail.html", context, status=status)


@require_POST
@login_required
def shop_pause(request: ActorRequest, shop_id: int) -> HttpResponse:
    shops.pause_shop(actor=request.actor, shop_id=shop_id)
    messages.success(request, _("Paused. What the shop sends now waits until you resume it."))
    return redirect("parcels:shop_detail", shop_id)


@require_POST
@login_required
def shop_resume(request: ActorRequest, shop_id: int) -> HttpResponse:
    shops.resume_shop(actor=request.actor, shop_id=shop_id)
    messages.success(request, _("Resumed. What has waited is booked now."))
    return redirect("parcels:shop_detail", shop_id)


@require_POST
@login_required
def shop_delete(request: ActorRequest, shop_id: int) -> HttpResponse:
    name = shops.delete_shop(actor=request.actor, shop_id=shop_id)
    messages.success(request, _("“%(name)s” is no longer connected.") % {"name": name})
    return redirect("parcels:shop_list")


@require_POST
@login_required
def shop_retry(request: ActorRequest, shop_id: int, message_id: int) -> HttpResponse:
    """Have a message taken again."""
    try:
        shops.retry_message(actor=request.actor, shop_id=shop_id, message_id=message_id)
    except AllianceError as error:
        if error.status in (403, 404):
            raise
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Trying again. Reload the page to see the result."))
    return redirect("parcels:shop_detail", shop_id)


def _saved(form: ShopForm, save: Callable[[], Any]) -> Any:
    """Save; on a refusal say so at the form, and return None."""
    try:
        return save()
    except InvalidInput as error:
        add_service_errors(form, error, {"prefix": "reference_prefix"})
    except AllianceError as error:
        if error.status in (403, 404):
            raise
        form.add_error(None, error.detail)
    return None


def _new_secret(request: ActorRequest, shop: ConnectedShop) -> str:
    if request.method != "GET" or request.headers.get("HX-Request"):
        return ""
    shop_id, secret = request.session.pop(_SECRET, (None, ""))
    return str(secret) if shop_id == shop.pk else ""


def _shown(name: str, value: str) -> str:
    """A value of the template in words."""
    if name == "tier":
        return str(TierCode(value).label) if value in TierCode.values else value
    return _("Take the next day") if name == "if_full" else value


def _row(message: ShopMessage) -> tuple[ShopMessage, str, dict[str, str]]:
    """A message, its parcel's number, and why it is not booked, in the reader's language if possible."""
    number = tracking_number(message.parcel_id) if message.parcel_id else ""
    said = {"detail": message.detail, "what_to_do": ""}
    if message.reason in ShopReason.values:
        said = {"detail": str(ShopReason(message.reason).label), "what_to_do": ""}
    elif message.outcome == ShopOutcome.REJECTED:
        said = translate_row(
            {
                "column": message.columns,
                "problem": message.reason,
                "detail": message.detail,
                "tracking_number": number,
            }
        )
    return message, number, said
