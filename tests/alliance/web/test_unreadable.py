"""Parameters that nothing can store: refused with a sentence at every door, never a failure of ours."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from alliance.models import Member
from alliance.web.unreadable import refusal_of
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db
DIGITS = "9" * 5_000
FINE = {200, 302, 400, 404, 422}


@pytest.mark.parametrize("bad", ["a\0b", DIGITS, "9" * 30, "99999-01-01", "0000-00-00"])
@pytest.mark.parametrize(
    "path",
    ["/admin/alliance/user/", "/admin/slas/offer/", "/admin/alliance/auditentry/", "/admin/alliance/event/"],
)
def test_filters_and_searches_of_the_admin_do_not_fail(bad: str, path: str, ops_client: Client) -> None:
    for name in (
        "q",
        "is_staff__exact",
        "kind__exact",
        "id",
        "courier__organisation__exact",
        "at__gte",
        "p",
        "o",
    ):
        assert ops_client.get(path, {name: bad}).status_code in FINE


def test_a_nul_is_told(ops_client: Client) -> None:
    response = ops_client.get("/admin/alliance/organisation/", {"kind__exact": "\0"})
    assert response.status_code == 400
    assert "NUL character" in html_of(response)


@pytest.mark.parametrize("bad", ["a\0b", DIGITS, "9" * 30, "-1", "x", "\N{SUPERSCRIPT TWO}"])
def test_switching_to_no_organisation_finds_none(bad: str, merchant_client: Client) -> None:
    response = merchant_client.post(reverse("organisation_switch"), {"organisation": bad})
    assert response.status_code == 404


@pytest.mark.parametrize("bad", ["a\0b", DIGITS])
def test_actions_of_the_admin_do_not_fail(bad: str, ops_client: Client) -> None:
    data = {"action": "delete_selected", "_selected_action": bad, "index": "0"}
    for path in ("/admin/alliance/user/", "/admin/slas/excuse/", "/admin/slas/breachlisting/"):
        assert ops_client.post(path, data).status_code in FINE | {403}


@pytest.mark.parametrize("page", ["x", "0", "-1", "9" * 9, DIGITS, "\0"])
def test_search_of_the_admin_has_no_such_page(page: str, ops_client: Client) -> None:
    assert ops_client.get("/admin/search/", {"s": "merchant", "page": page}).status_code in (400, 404)


def test_paths_are_refused(client: Client) -> None:
    assert client.get("/track/CA%00/").status_code in (400, 404)


@pytest.mark.parametrize("length", [244, 255, 5_000])
def test_long_addresses_are_told_on_the_page(length: int, merchant_client: Client) -> None:
    email = "x" * length + "@alliance.example"
    for action in ("action_add", "action_primary", "action_remove", "action_send"):
        response = merchant_client.post(reverse("account_email"), {"email": email, action: ""})
        assert response.status_code in (200, 302, 422)


@pytest.mark.parametrize(
    ("fail", "says"),
    [
        (lambda: Member.objects.filter(pk=DIGITS).exists(), "too long"),
        (lambda: Member.objects.filter(pk="x").exists(), "place of a number"),
        (lambda: Member.objects.filter(user__email="\0").exists(), "NUL"),
        (lambda: Member.objects.filter(user__email="\ud800").exists(), "broken character"),
        (lambda: int(float("inf")), "too large"),
        # As the admin's form of a crontab does.
        (lambda: ZoneInfo("A" * 5_000), "too long"),
    ],
)
def test_failures_by_input_are_told_from_bugs(fail: Any, says: str) -> None:
    with pytest.raises((ValueError, OverflowError, OSError)) as caught:
        fail()
    refusal = refusal_of(caught.value)
    assert refusal is not None
    assert says in refusal.detail


def test_bugs_stay_bugs() -> None:
    assert refusal_of(ValueError("too many values to unpack")) is None
    assert refusal_of(FileNotFoundError(2, "No such file or directory")) is None
