"""The door at which shops send their orders: no log-in and no key, but a signature."""

from typing import Final

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from alliance.tenancy import limited
from alliance.web.bodies import whole_body
from alliance.web.form_owner import for_any_organisation
from alliance.web.http import limit_by_address, limit_calls, scoped_by_itself
from alliance.web.requests import ActorRequest
from parcels.choices import ShopKind
from parcels.shops.rules import MOST_BYTES, PING, is_signed, message_of, new_key
from parcels.shops.services.receiving import keep_message, sender_at

# Shopify waits for five seconds. An answer that comes later is as bad as none.
_STATEMENT_SECONDS: Final = 3.0
_LOCK_SECONDS: Final = 1.0
# What an unknown address is compared with: it is refused as late as a wrong signature is.
_NOBODYS: Final = new_key()


@scoped_by_itself
@for_any_organisation
@csrf_exempt
@require_POST
def shop_receive(request: ActorRequest, key: str) -> HttpResponse:
    """Keep what a shop sends, if it is signed by the shop's secret; a worker does the rest."""
    body = whole_body(request, most=MOST_BYTES)
    if PING.fullmatch(body):
        return HttpResponse(status=200)
    with limited(statement_seconds=_STATEMENT_SECONDS, lock_seconds=_LOCK_SECONDS):
        sender = sender_at(key)
        kind = sender.kind if sender else ShopKind.SHOPIFY
        message = message_of(kind, request.headers, body)
        is_own = is_signed(sender.secret if sender else _NOBODYS, body, message.signature)
        if sender is None or not is_own:
            return _refused(request)
        limit_calls(f"shop:{sender.shop_id}", per_minute=settings.SHOP_RATE_PER_MINUTE)
        if not keep_message(sender, message, body, at=timezone.now()):
            return _refused(request)
    return HttpResponse(status=200)


def _refused(request: ActorRequest) -> HttpResponse:
    # Only these are counted by address: the shops of a platform share theirs.
    limit_by_address(request, bucket="shop refusals", per_minute=settings.SHOP_REFUSALS_PER_MINUTE)
    return HttpResponse(status=401)
