"""What must not leave: caches, logs, links in mails, and the inside of the server."""

import json
import logging
from typing import Any

import pytest
import structlog
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from alliance.log_secrets import hide_secrets
from alliance.logs import logging_config
from alliance.models import User
from alliance.secret_keys import weakness_of
from tests import factories

KEY = "ca_0123456789_" + "x" * 43


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "private, no-cache"),
        ("/accounts/login/", "no-store"),
        ("/accounts/password/reset/done/", "private, no-store"),
        ("/api/v1/tiers", "private, no-cache"),
        ("/nothing/here/", "private, no-cache"),
    ],
)
def test_nothing_is_cached_for_others(path: str, expected: str, client: Client) -> None:
    response = client.get(path)
    assert expected in response["Cache-Control"]
    assert "geolocation=()" in response["Permissions-Policy"]


@pytest.mark.django_db
def test_pages_of_a_session_are_not_stored(merchant_client: Client) -> None:
    for path in ("/members/", "/api-keys/", "/nothing/here/"):
        assert "no-store" in merchant_client.get(path)["Cache-Control"]
    assert merchant_client.get("/api/v1/tiers")["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /accounts/password/reset/key/1-d0h-abc/", "GET /accounts/password/reset/key/…/"),
        ("GET /accounts/password/reset/key/done/", "GET /accounts/password/reset/key/done/"),
        ("POST /accounts/confirm-email/MQ:1w:x-y_z/", "POST /accounts/confirm-email/…/"),
        ("GET /invitations/abcDEF-123/?next=/", "GET /invitations/…/?next=/"),
        ("POST /from-shop/68yvzrxjsfsjzhwtjfxhhdy1778e3r99/", "POST /from-shop/…/"),
        ("POST /invitations/12/answer/", "POST /invitations/12/answer/"),
        ("GET /exports/1/file?expires=9&signature=abc", "GET /exports/1/file?expires=9&signature=…"),
        (f"Bearer {KEY}", "Bearer ca_0123456789_…"),
        (f"Bearer {KEY.replace('ca_', 'ca_test_')}", "Bearer ca_test_0123456789_…"),
        ("GET /parcels/?q=CA123", "GET /parcels/?q=CA123"),
    ],
)
def test_secrets_of_addresses_are_not_logged(text: str, expected: str) -> None:
    assert hide_secrets(text) == expected


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("by_structlog", [True, False])
def test_tracebacks_show_no_local_variables(as_json: bool, by_structlog: bool) -> None:
    configured = structlog.get_config()
    try:
        formatter = logging_config("INFO", as_json=as_json)["formatters"]["structured"]
        made = structlog.stdlib.ProcessorFormatter(
            processor=formatter["processor"], foreign_pre_chain=formatter["foreign_pre_chain"]
        )
    finally:
        structlog.configure(**configured)

    def fail(password: str) -> None:
        raise ValueError("no access to /accounts/confirm-email/the-key/")

    try:
        # Put together here, as the traceback quotes this line.
        fail("-".join(["hunter"] * 2))
    except ValueError as error:
        exc_info = (type(error), error, error.__traceback__)
    message: Any = {"event": "it failed", "exc_info": exc_info} if by_structlog else "it failed"
    record = logging.LogRecord(
        "x", logging.ERROR, __file__, 1, message, None, None if by_structlog else exc_info
    )
    if by_structlog:
        record._logger, record._name = None, "error"  # type: ignore[attr-defined]
    line = made.format(record)
    assert "it failed" in line
    assert "ValueError: no access to /accounts/confirm-email/…/" in line
    assert "in fail" in line
    assert "hunter-hunter" not in line
    assert "\x1b[" not in line
    if as_json:
        json.loads(line)


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999"])
def test_links_in_mails_do_not_follow_the_host_header(
    host: str, client: Client, merchant_user: User, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://alliance.example"
    client.post(reverse("account_reset_password"), {"email": merchant_user.email}, HTTP_HOST=host)
    client.post(reverse("account_reset_password"), {"email": "nobody@alliance.example"}, HTTP_HOST=host)
    password = factories.PASSWORD
    for email in ("new@alliance.example", merchant_user.email):
        data = {"email": email, "kind": "merchant", "password1": password, "password2": password}
        Client().post(reverse("account_signup"), data, HTTP_HOST=host)
    assert len(mail.outbox) == 4
    for message in mail.outbox:
        text = str(message.body)
        assert host not in text
        assert text.count("https://alliance.example/accounts/") == 1


@pytest.mark.django_db
def test_a_reset_asks_as_much_of_the_database_with_an_account_as_without(
    client: Client, merchant_user: User
) -> None:
    asked = []
    for email in (merchant_user.email, "nobody@alliance.example"):
        with CaptureQueriesContext(connection) as queries:
            client.post(reverse("account_reset_password"), {"email": email})
        asked.append(len(queries))
    assert asked[0] == asked[1]
    assert [message.to for message in mail.outbox] == [[merchant_user.email], ["nobody@alliance.example"]]


def test_unknown_hosts_are_refused(client: Client) -> None:
    assert client.get("/healthz", HTTP_HOST="evil.example").status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"REMOTE_ADDR": "203.0.113.9"}, False),
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, False),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer a-long-token"}, True),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer "}, False),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer öther"}, False),
        ({"REMOTE_ADDR": ""}, False),
    ],
)
def test_the_inside_is_shown_to_operators_only(
    headers: dict[str, str], allowed: bool, client: Client, settings: Any
) -> None:
    settings.METRICS_TOKEN = "a-long-token"
    assert client.get("/metrics", **headers).status_code == (200 if allowed else 403)
    ready = client.get("/readyz", **headers).json()
    assert ("checks" in ready) is allowed
    assert isinstance(ready["ready"], bool)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "build",
        "x" * 64,
        "django-insecure-" + "0123456789abcdefghij" * 3,
        "change-me-0123456789abcdefghijklmnopqrs",
        "0123456789abcdef" * 4,
        "1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t",
        "qwertyuiop1234567890asdfghjklzxcvbnm1234567890",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "REPLACE_ME_WITH_A_LONG_STRING_OF_YOUR_OWN_1234",
        "correct horse battery staple and some more words",
    ],
)
def test_weak_secret_keys_are_refused(key: str) -> None:
    assert weakness_of(key)


def test_made_up_secret_keys_are_taken(settings: Any) -> None:
    for key in (
        settings.SECRET_KEY,
        "Uuiznhb8Zq8TlK3JXW0xVmX5T8pJ1C4fQy9hPq7w/2s=",
        "d1e8a70b5ccab1dc2f56bbf7e99f064a660c08e361a35751",
    ):
        assert weakness_of(key) == ""
