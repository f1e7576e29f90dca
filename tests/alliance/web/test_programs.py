"""Programs' calls take a short stack, which answers, logs and counts like the long one."""

import logging
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from alliance.models import User
from alliance.web import metrics
from alliance.web.programs import POLICY, is_program_call

pytestmark = pytest.mark.django_db
# An unknown cookie changes nothing, but is what a browser sends.
AS_BROWSER = {"HTTP_COOKIE": "seen=1"}
KEPT = {
    *("Cache-Control", "Content-Language", "Content-Length", "Content-Security-Policy", "Content-Type"),
    *(
        "Cross-Origin-Opener-Policy",
        "Permissions-Policy",
        "Referrer-Policy",
        "Vary",
        "X-Content-Type-Options",
    ),
    *("X-Frame-Options", "X-Request-Id"),
}
COUNTED = {"RateLimit", "RateLimit-Policy"}
OFTEN_DIFFERENT = {"X-Request-Id", "RateLimit", "Content-Security-Policy", "Content-Length"}
UNKNOWN = "/api/v1/tracking/CA180HFPF3JNCPRS"
OF_CORS = {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
# Method, address, status, name of the view, headers besides KEPT.
CALLS: dict[str, tuple[str, str, int, str, set[str]]] = {
    "health": ("GET", "/healthz", 200, "healthz", set()),
    "health by another method": ("POST", "/healthz", 405, "healthz", {"Allow"}),
    "read": ("GET", "/api/v1/tiers", 200, "api:slas:tier_list", {"Allow", "ETag", *COUNTED}),
    "with a slash": ("GET", "/api/v1/tiers/", 200, "api:slas:tier_list", {"Allow", "ETag", *COUNTED}),
    "refused": ("POST", "/api/v1/quotes", 422, "api:parcels:quote_create", {"Allow", *COUNTED}),
    "not permitted": ("GET", "/api/v1/offers", 403, "api:slas:offer_list", {"Allow", *COUNTED}),
    "tracking": ("GET", UNKNOWN, 404, "api:parcels:tracking", OF_CORS),
    "nowhere": ("GET", "/api/v1/nowhere", 404, "<unnamed view>", set()),
}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines of requests."""
    seen: list[dict[str, Any]] = []

    class Seeing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.msg, dict) and str(record.msg["event"]).startswith("request_"):
                seen.append(dict(record.msg))

    monkeypatch.setattr(logging.getLogger(), "handlers", [Seeing()])
    return seen


def count_of(name: str, **labels: str) -> float:
    metrics.publish()
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counts_of(view: str, method: str, status: int) -> tuple[float, ...]:
    by_view = {"view": view, "method": method}
    return (
        count_of("django_http_requests_before_middlewares_total"),
        count_of("django_http_responses_before_middlewares_total"),
        count_of("django_http_requests_latency_including_middlewares_seconds_count"),
        count_of("django_http_requests_latency_seconds_by_view_method_count", **by_view),
        count_of("django_http_requests_total_by_method_total", method=method),
        count_of("django_http_requests_total_by_transport_total", transport="http"),
        count_of("django_http_requests_total_by_view_transport_method_total", transport="http", **by_view),
        count_of("django_http_requests_body_total_bytes_count"),
        count_of("django_http_responses_total_by_status_total", status=str(status)),
        count_of("django_http_responses_total_by_status_view_method_total", status=str(status), **by_view),
        count_of("django_http_responses_body_total_bytes_count"),
        count_of("django_http_responses_total_by_charset_total", charset="utf-8"),
    )


@pytest.mark.parametrize("call", CALLS)
def test_short_stack_leaves_out_nothing_of_an_answer(
    call: str, merchant_api: APIClient, lines: list[dict[str, Any]]
) -> None:
    method, address, status, view, more = CALLS[call]
    before = counts_of(view, method, status)
    sent = {"data": "{}", "content_type": "application/json"} if method == "POST" else {}
    short = merchant_api.generic(method, address, **sent)
    assert is_program_call(short.wsgi_request)
    assert [after - count for after, count in zip(counts_of(view, method, status), before, strict=True)] == (
        [1.0] * len(before)
    )
    long = merchant_api.generic(method, address, **sent, **AS_BROWSER)
    assert not is_program_call(long.wsgi_request)
    assert short.status_code == long.status_code == status
    assert set(short.headers) == KEPT | more
    assert not short.cookies
    assert short["Content-Security-Policy"] == POLICY
    # Scripts of other origins send no cookie.
    more = more - OF_CORS
    for name in KEPT - OFTEN_DIFFERENT if status == 405 else (KEPT | more) - OFTEN_DIFFERENT:
        assert short[name] == long[name] or call.startswith("health by"), name
    [said, said_by_the_long_one] = lines
    assert said.keys() == said_by_the_long_one.keys()
    assert (said["code"], said["request"]) == (status, f"{method} {address.rstrip('/')}")
    assert said["request_id"] == short["X-Request-Id"]
    assert said["ip"] == "127.0.0.1"
    assert said["level"] == ("info" if status == 200 else "warning")


@pytest.mark.parametrize(("sent", "language"), [("", "en"), ("zh-CN,zh;q=0.9", "zh-hans"), ("fr", "en")])
def test_language_of_a_call_is_that_of_its_header(
    sent: str, language: str, merchant_api: APIClient, client: Client
) -> None:
    headers = {"HTTP_ACCEPT_LANGUAGE": sent} if sent else {}
    # The one of the request before is forgotten.
    client.get("/healthz", HTTP_ACCEPT_LANGUAGE="zh-hans")
    short, long = merchant_api.get(UNKNOWN, **headers), merchant_api.get(UNKNOWN, **headers, **AS_BROWSER)
    assert short["Content-Language"] == long["Content-Language"] == language
    assert short.json()["title"] == long.json()["title"]


def test_failures_of_views_are_counted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("alliance.health.readiness", fail)
    client.raise_request_exception = False
    by_type = {"type": "ZeroDivisionError"}
    before = count_of("django_http_exceptions_total_by_type_total", **by_type)
    answer = client.get("/readyz")
    assert answer.status_code == 500
    assert set(answer.headers) >= KEPT
    assert count_of("django_http_exceptions_total_by_type_total", **by_type) == before + 1
    assert count_of("django_http_exceptions_total_by_view_total", view="readyz") >= 1


def test_answers_are_counted_by_template(merchant_client: Client) -> None:
    name = "django_http_responses_total_by_templatename_total"
    page = merchant_client.get("/accounts/password/change/")
    template = str(page.template_name)  # type: ignore[attr-defined]
    before = count_of(name, templatename=template)
    merchant_client.get("/accounts/password/change/")
    assert count_of(name, templatename=template) == before + 1


def test_wrong_host_is_refused(client: Client, lines: list[dict[str, Any]]) -> None:
    assert client.get("/healthz", HTTP_HOST="elsewhere.example").status_code == 400
    assert [line["code"] for line in lines] == [400]


def test_host_that_was_allowed_once_is_looked_at_again_when_it_is_no_more(
    client: Client, settings: LazySettings
) -> None:
    settings.ALLOWED_HOSTS = ["here.example"]
    for _call in range(2):
        assert client.get("/healthz", HTTP_HOST="here.example").status_code == 200
    settings.ALLOWED_HOSTS = ["there.example"]
    assert client.get("/healthz", HTTP_HOST="here.example").status_code == 400


def test_answer_that_the_client_has_already_says_nothing_of_its_length(merchant_api: APIClient) -> None:
    first = merchant_api.get("/api/v1/tiers")
    again = merchant_api.get("/api/v1/tiers", HTTP_IF_NONE_MATCH=first["ETag"])
    assert again.status_code == 304
    assert not {"Content-Length", "Content-Type"} & set(again.headers)
    assert again["ETag"] == first["ETag"]


def test_call_without_https_is_sent_there(client: Client, settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 60
    moved = client.get("/healthz")
    assert (moved.status_code, moved["Location"]) == (301, "https://testserver/healthz")
    assert "Strict-Transport-Security" not in moved
    assert client.get("/healthz", secure=True)["Strict-Transport-Security"] == "max-age=60"


def test_call_of_a_page_of_ours_has_its_session_and_needs_a_token(merchant_user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(merchant_user)
    answer = browser.get("/api/v1/tiers")
    assert (answer.status_code, is_program_call(answer.wsgi_request)) == (200, False)
    refused = browser.post("/api/v1/quotes", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:alliance:problem:csrf")


def test_pages_take_the_long_stack(client: Client) -> None:
    for address in ("/", "/api/docs/", "/api/v1", "/healthz/", "/track/CA180HFPF3JNCPRS/"):
        assert not is_program_call(client.get(address).wsgi_request)


def test_both_stacks_share_one_gate(client: Client) -> None:
    from alliance.web.middleware import AdmissionMiddleware  # noqa: PLC0415 -- needs the app registry

    one, other = (AdmissionMiddleware(lambda _request: None) for _stack in range(2))  # type: ignore[arg-type,return-value]
    assert one.gate is other.gate
    assert one.tenants is other.tenants
