"""Error pages: they need no database, show the request id, and give advice."""

import re

import pytest
from django.conf import LazySettings
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from alliance.choices import OrganisationStatus, Role
from alliance.errors import (
    AllianceError,
    Conflict,
    Gone,
    NotFound,
    NotPermitted,
    TooLarge,
    TooMany,
    Unavailable,
)
from alliance.models import Organisation
from alliance.portal import errors
from alliance.portal.icons import picture_of
from tests import factories
from tests.alliance.helpers.pages import html_of, refused_by_policy


def _request(path: str = "/somewhere/") -> HttpRequest:
    request = RequestFactory().get(path)
    request.request_id = "0123456789abcdef"
    return request


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (errors.bad_request, 400),
        (errors.permission_denied, 403),
        (errors.page_not_found, 404),
        (errors.server_error, 500),
        (errors.csrf_failure, 403),
    ],
)
def test_error_pages_need_no_database_and_name_the_request(handler: object, status: int) -> None:
    # Not marked django_db: touching the database would fail this test.
    response = handler(_request())  # type: ignore[operator]
    assert response.status_code == status
    assert "0123456789abcdef" in html_of(response)
    assert 'href="/"' in html_of(response)
    assert refused_by_policy(html_of(response)) == []


def test_error_under_the_api_is_a_problem_document() -> None:
    response = errors.page_not_found(_request("/api/v1/nothing"))
    assert response["Content-Type"] == "application/problem+json"
    assert b'"request_id": "0123456789abcdef"' in response.content


def test_error_page_that_cannot_be_drawn_is_replaced_by_a_bare_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_options: object) -> str:
        raise ValueError("no manifest")

    monkeypatch.setattr(errors, "render_to_string", fail)
    for page, status, title in (
        (errors.server_error, 500, "Something went wrong"),
        # Of an unknown Host, among others.
        (errors.bad_request, 400, "We could not read the request"),
        (errors.page_not_found, 404, "Page not found"),
    ):
        response = page(_request())
        assert response.status_code == status
        assert title in html_of(response)
        assert "could not be drawn" in caplog.text


@pytest.mark.parametrize("error", [NotPermitted(), NotFound()])
def test_error_without_words_of_its_own_says_what_to_do_and_nothing_twice(error: AllianceError) -> None:
    response = errors.alliance_error(_request(), error)
    assert response.status_code == error.status
    assert len(re.findall(str(error.title), html_of(response))) == 2, "in the title and on top"
    assert re.search("An owner of your organisation can|may be mistyped", html_of(response))


def test_error_with_words_of_its_own_keeps_them() -> None:
    html = html_of(errors.alliance_error(_request(), NotPermitted("Only merchants can book parcels.")))
    assert "Only merchants can book parcels." in html
    assert "An owner of your organisation" not in html


@pytest.mark.parametrize(
    ("error", "has_link"),
    [(Unavailable(), True), (TooMany(), True), (NotFound(), False), (TooLarge(), False), (Gone(), False)],
)
def test_passing_error_offers_a_link_to_try_again(error: AllianceError, has_link: bool) -> None:
    link = 'href="/parcels/?search=A&amp;tier=x"'
    assert (link in html_of(errors.alliance_error(_request("/parcels/?search=A&tier=x"), error))) is has_link


def test_link_to_try_again_never_leads_to_another_site() -> None:
    request = _request()
    request.path = "//evil.example/somewhere/"
    page = html_of(errors.alliance_error(request, Unavailable()))
    assert 'href="/%2Fevil.example/somewhere/"' in page
    assert 'href="//' not in page


def test_error_after_a_post_offers_no_link() -> None:
    request = RequestFactory().post("/parcels/", {})
    assert str(picture_of("refresh")) not in html_of(errors.alliance_error(request, Unavailable()))
    assert str(picture_of("refresh")) in html_of(
        errors.alliance_error(RequestFactory().get("/parcels/"), Unavailable())
    )


def test_error_of_a_service_becomes_its_page() -> None:
    response = errors.alliance_error(_request(), Conflict("The parcel has left."))
    assert response.status_code == 409
    assert "The parcel has left." in html_of(response)


def test_too_many_requests_say_when_to_come_back() -> None:
    assert errors.alliance_error(_request(), TooMany(retry_after=17))["Retry-After"] == "17"


@pytest.mark.django_db
def test_unknown_address_is_a_page_with_the_request_id(client: Client) -> None:
    response = client.get("/nothing/here/")
    assert response.status_code == 404
    assert response["X-Request-Id"] in html_of(response)


@pytest.mark.django_db
def test_form_without_its_token_is_explained() -> None:
    response = Client(enforce_csrf_checks=True).post(reverse("account_login"), {"login": "a@b.example"})
    assert response.status_code == 403
    assert "This form has expired" in html_of(response)


@pytest.mark.django_db
def test_crash_of_a_view_is_a_page(client: Client, settings: LazySettings) -> None:
    settings.ROOT_URLCONF = "tests.alliance.helpers.gallery"
    client.raise_request_exception = False
    response = client.get("/gallery/broken/")
    assert response.status_code == 500
    assert response["X-Request-Id"] in html_of(response)
    assert "broken on purpose" not in html_of(response)


@pytest.mark.django_db
def test_an_address_that_only_takes_forms_says_so(merchant_client: Client) -> None:
    """Whoever logs in again after sending a form is led there."""
    response = merchant_client.get("/organisation/switch/")
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert "No page at this address" in html_of(response)
    assert "Go to the start page" in html_of(response)


@pytest.mark.django_db
def test_a_page_that_takes_no_forms_says_so(merchant_client: Client) -> None:
    for response in (merchant_client.options("/rates/"), merchant_client.post("/rates/")):
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
        assert "This page can only be read" in html_of(response)


@pytest.mark.django_db
def test_who_may_not_see_a_page_is_told_what_helps(
    merchant_client: Client, courier_organisation: Organisation
) -> None:
    assert "not available to your kind of organisation" in merchant_client.get("/offers/").text
    viewer = factories.member_user("viewer@alliance.example", courier_organisation, Role.VIEWER)
    assert "can change your role" in factories.logged_in(viewer).get("/members/").text
    applicant = factories.courier_organisation("New Wings", OrganisationStatus.APPLICANT)
    owner = factories.logged_in(factories.member_user("new@alliance.example", applicant))
    page = owner.get("/offers/").text
    assert "work on its application" in page
    assert "can change your role" not in page
