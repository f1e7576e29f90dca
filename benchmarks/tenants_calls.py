"""The calls that are measured in both alliances: by everybody, at every door."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from benchmarks import floor_paths
from benchmarks.bench_bookings import bookings
from benchmarks.clients import get, post
from benchmarks.filling_tenants import PASSWORD
from benchmarks.tenants_world import RARE_SLUG, TenantsWorld

# A part of most names, and two of one: four letters, and two, where a trigram has three. So a page has as
# many rows in both alliances.
COMMON, RARE, SHORT = "有限公司", "琉璃灯笼", "琉璃"
# Any of the form that Django's cookie may have.
_CSRF = "a" * 32


@dataclass(frozen=True, slots=True)
class Calls:
    """Requests of one kind, sent in turn, each to both servers. `status` is that of their answers."""

    name: str
    requests: Sequence[bytes]
    status: int = 200


def calls_of(world: TenantsWorld) -> Iterator[Calls]:
    """Yield what is measured: reads first, then what writes."""
    yield from _programs(world)
    yield from _pages(world)
    yield from _desk(world)
    yield from _doors(world)


# --- programs --------------------------------------------------------------------------------

_MERCHANT_API = (
    "parcels:parcel_list", "parcels:pickup_address_list", "parcels:watch_list", "slas:breaches",
    "slas:export_list", "slas:statement_list", "slas:rates",
)  # fmt: skip
_COURIER_API = (
    "parcels:parcel_list", "parcels:watch_list", "slas:breaches", "slas:excuses", "slas:offer_list",
    "slas:scorecard_list", "slas:statement_list", "slas:rates",
)  # fmt: skip


def _programs(world: TenantsWorld) -> Iterator[Calls]:
    empty = post(floor_paths.AUTHENTICATED, b"{}", token=world.merchant.token)
    yield Calls("API key look-up: an authenticated call that does nothing", [empty])
    for who, member, routes in (
        ("merchant", world.merchant, _MERCHANT_API),
        ("courier", world.courier, _COURIER_API),
    ):
        headers = {"Authorization": f"Bearer {member.token}"}
        for route in routes:
            address = reverse(f"api:{route}")
            query = "?from=2026-01-01&to=2026-01-31" if route == "slas:rates" else ""
            yield Calls(f"{who}'s API {address.removeprefix('/api/v1')}", [get(address + query, **headers)])
        search = f"{reverse('api:parcels:parcel_list')}?search=SO-1-7"
        yield Calls(f"{who}'s API /parcels, search", [get(search, **headers)])
    quote = {"origin": world.cities[0], "destination": world.cities[1], "weight_g": 800}
    body, quotes = json.dumps(quote).encode(), reverse("api:parcels:quote_create")
    yield Calls("quote", [post(quotes, body, token=world.merchant.token)])
    booked = bookings(world.cities, seed="tenants", count=200)
    parcels = reverse("api:parcels:parcel_list")
    bodies = [json.dumps(booking).encode() for booking in booked]
    requests = [post(parcels, body, token=world.merchant.token) for body in bodies]
    yield Calls("single booking", requests, status=201)


# --- people ----------------------------------------------------------------------------------

_MERCHANT_PAGES = (
    "parcels:dashboard_view", "parcels:parcel_list", "parcels:watch_list", "parcels:address_list",
    "slas:rate_list", "slas:breach_list", "slas:export_list", "slas:statement_list", "member_list",
    "api_key_list", "membership_list",
)  # fmt: skip
_COURIER_PAGES = (
    "parcels:dashboard_view", "parcels:parcel_list", "parcels:watch_list", "slas:rate_list",
    "slas:breach_list", "slas:excuse_list", "slas:offer_list", "slas:scorecard_list", "slas:export_list",
    "slas:statement_list", "couriers:facility_list", "member_list", "api_key_list",
)  # fmt: skip


def _pages(world: TenantsWorld) -> Iterator[Calls]:
    for who, cookie, routes, partner in (
        ("merchant", world.merchant_session, _MERCHANT_PAGES, "Courier"),
        ("courier", world.courier_session, _COURIER_PAGES, COMMON),
    ):
        for route in routes:
            yield Calls(f"{who}'s page {reverse(route)}", [get(reverse(route), Cookie=cookie)])
        search = f"{reverse('parcels:parcel_list')}?search=SO-1-7"
        yield Calls(f"{who}'s page /parcels/, search", [get(search, Cookie=cookie)])
        found = f"{reverse('palette_find')}?{urlencode({'q': partner})}"
        yield Calls(f"{who}'s palette, a partner", [get(found, Cookie=cookie)])


# --- ops -------------------------------------------------------------------------------------

_DESK_LISTS = {
    "alliance_organisation": (COMMON, RARE, SHORT),
    "parcels_merchant": (COMMON, RARE, SHORT),
    "couriers_courier": ("Courier",),
    "alliance_user": ("owner-00000", "owner-00000004"),
    "alliance_apikey": (COMMON, RARE_SLUG),
    "parcels_pickupaddress": (COMMON, RARE_SLUG),
    "alliance_auditentry": (RARE_SLUG,),
}


def _desk(world: TenantsWorld) -> Iterator[Calls]:
    for name, terms in _DESK_LISTS.items():
        address = reverse(f"admin:{name}_changelist")
        yield Calls(f"ops' list {address}", [get(address, Cookie=world.ops_session)])
        for term in terms:
            found = f"{address}?{urlencode({'q': term})}"
            yield Calls(f"ops' list {address}, search for {term}", [get(found, Cookie=world.ops_session)])


# --- the doors -------------------------------------------------------------------------------


def _doors(world: TenantsWorld) -> Iterator[Calls]:
    """Yield what somebody does who comes in; each writes, so no request is sent twice."""
    yield _forms("log-in, without argon2", reverse("account_login"), [
        {"login": email, "password": PASSWORD} for email in world.emails
    ])  # fmt: skip
    yield _forms("sign-up, without argon2", reverse("account_signup"), [
        {"kind": "merchant", "email": f"new-{number}@shop.example", "password1": PASSWORD + "-x",
         "password2": PASSWORD + "-x"} for number in range(150)
    ])  # fmt: skip
    yield _forms("new password asked for", reverse("account_reset_password"), [
        {"email": email} for email in world.emails
    ])  # fmt: skip
    names = [{"kind": "merchant", "name": "杭州明华电子商务有限公司"} for _cookie in world.newcomer_sessions]
    yield _forms("a new user's company", reverse("onboarding"), names, world.newcomer_sessions)


def _forms(name: str, path: str, forms: Sequence[dict[str, str]], cookies: Sequence[str] = ()) -> Calls:
    return Calls(name, [_form(path, form, place, cookies) for place, form in enumerate(forms)], status=302)


def _form(path: str, form: dict[str, str], place: int, cookies: Sequence[str]) -> bytes:
    """Return the bytes of a form sent by a browser, each from another address."""
    body = urlencode({**form, "csrfmiddlewaretoken": _CSRF}).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Cookie: {'; '.join([f'csrftoken={_CSRF}', *cookies[place : place + 1]])}",
        f"X-Forwarded-For: 10.{place // 200}.1.{1 + place % 200}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
