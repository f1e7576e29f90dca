"""The portal's own pages: front page, sign-up to organisation, menu, language, errors."""

import re

import pytest
from django.conf import LazySettings
from django.core import mail
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from alliance.choices import Capability, OrganisationKind, OrganisationStatus, Role
from alliance.errors import Conflict, TooMany
from alliance.models import Member, Organisation, User
from alliance.portal import errors, navigation
from alliance.portal.views import start_page
from alliance.tenancy import Actor, Scope, scope
from tests import factories
from tests.alliance.test_components import refused_by_policy

ACCOUNT_PAGES = [
    "account_login",
    "account_signup",
    "account_email_verification_sent",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_inactive",
]
MEMBER_PAGES = ["account_email", "account_change_password", "account_logout", "member_list", "api_key_list"]


def _text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


# --- front page ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_stranger_sees_what_the_alliance_is(client: Client) -> None:
    html = _text(client.get("/"))
    assert f'href="{reverse("account_signup")}?kind=merchant"' in html
    assert f'href="{reverse("account_signup")}?kind=courier"' in html
    assert refused_by_policy(html) == []


@pytest.mark.parametrize(
    ("status", "kind", "start"),
    [
        (OrganisationStatus.ACTIVE, OrganisationKind.MERCHANT, "parcels:dashboard_view"),
        (OrganisationStatus.ACTIVE, OrganisationKind.COURIER, "parcels:dashboard_view"),
        (OrganisationStatus.APPLICANT, OrganisationKind.COURIER, "couriers:application_edit"),
        (OrganisationStatus.SUSPENDED, OrganisationKind.MERCHANT, "suspended"),
        (OrganisationStatus.SUSPENDED, OrganisationKind.COURIER, "suspended"),
    ],
)
def test_everybody_starts_where_their_work_is(status: str, kind: str, start: str) -> None:
    actor = Actor(
        kind="user", user_id=1, organisation_id=1, organisation_kind=kind, organisation_status=status
    )
    assert start_page(actor) == reverse(start)


def test_ops_start_in_the_admin_and_newcomers_at_the_welcome_page() -> None:
    assert start_page(Actor(kind="user", user_id=1, is_ops=True)) == reverse("admin:index")
    assert start_page(Actor(kind="user", user_id=1)) == reverse("onboarding")


# --- account pages ---------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("name", ACCOUNT_PAGES)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_account_page_is_ours(client: Client, name: str, language: str) -> None:
    client.cookies["django_language"] = language
    response = client.get(reverse(name))
    html = _text(response)
    assert response.status_code == 200
    assert 'class="ca-entrance"' in html
    assert len(re.findall(r"<h1", html)) == 1
    assert refused_by_policy(html) == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", MEMBER_PAGES)
def test_member_page_is_ours(merchant_client: Client, name: str) -> None:
    response = merchant_client.get(reverse(name))
    assert response.status_code == 200
    assert "css/app.css" in _text(response)
    assert refused_by_policy(_text(response)) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/accounts/confirm-email/nonsense/", "/accounts/password/reset/key/1-nonsense/"]
)
def test_dead_link_says_so_and_offers_a_way_on(client: Client, address: str) -> None:
    html = _text(client.get(address))
    assert "This link no longer works" in html
    assert re.search(r'class="btn btn-primary w-100" href="/accounts/', html)


@pytest.mark.django_db
def test_locked_account_is_told_when_to_come_back(client: Client, settings: LazySettings) -> None:
    settings.AXES_FAILURE_LIMIT = 1
    factories.user("somebody@alliance.example")
    response = client.post(
        reverse("account_login"), {"login": "somebody@alliance.example", "password": "wrong"}
    )
    assert response.status_code == 429
    assert response["Retry-After"] == "900"
    assert "quarter of an hour" in _text(response)


@pytest.mark.django_db
def test_whoever_signs_up_too_often_is_told_when_to_come_back(client: Client, settings: LazySettings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"signup": "1/m/ip"}
    client.post(reverse("account_signup"), {})
    response = client.post(reverse("account_signup"), {})
    assert response.status_code == 429
    assert response["Retry-After"] == "60"
    assert "You have asked very often." in _text(response)


# --- from sign-up to organisation ------------------------------------------------------------


def _sign_up(client: Client, kind: str) -> None:
    password = factories.PASSWORD
    client.post(
        reverse("account_signup"),
        {"kind": kind, "email": "new@alliance.example", "password1": password, "password2": password},
    )
    address = re.search(r"http://testserver(/accounts/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert address is not None
    client.post(address[1])


@pytest.mark.django_db
def test_door_in_the_address_is_chosen_already(client: Client) -> None:
    html = _text(client.get(reverse("account_signup") + "?kind=courier"))
    assert re.search(r'value="courier" required checked', html)
    assert not re.search(r'value="merchant" required checked', html)


@pytest.mark.django_db
def test_sign_up_without_a_door_is_an_error_beside_it(client: Client) -> None:
    password = factories.PASSWORD
    data = {"email": "new@alliance.example", "password1": password, "password2": password}
    html = _text(client.post(reverse("account_signup"), data))
    assert 'href="#div_id_kind"' in html
    assert not User.objects.filter(email="new@alliance.example").exists()


@pytest.mark.django_db
def test_merchant_signs_up_and_has_an_organisation(client: Client) -> None:
    _sign_up(client, "merchant")
    page = client.get("/", follow=True)
    assert page.redirect_chain[-1][0] == reverse("onboarding")
    assert re.search(r'value="merchant" required checked', _text(page))
    response = client.post(reverse("onboarding"), {"kind": "merchant", "name": "Lotus  Tea"})
    assert response["Location"] == reverse("home")
    with scope(Scope.everything()):
        member = Member.objects.select_related("organisation").get(user__email="new@alliance.example")
    assert (member.organisation.name, member.organisation.kind, member.role) == (
        "Lotus Tea",
        "merchant",
        Role.OWNER,
    )
    assert client.get("/")["Location"] == reverse("parcels:dashboard_view")


@pytest.mark.django_db
def test_courier_signs_up_and_goes_on_to_the_application(client: Client) -> None:
    _sign_up(client, "courier")
    client.post(reverse("onboarding"), {"kind": "courier", "name": "Swift Express"})
    assert client.get("/")["Location"] == reverse("couriers:application_edit")
    with scope(Scope.everything()):
        assert Organisation.objects.get(name="Swift Express").status == OrganisationStatus.APPLICANT


@pytest.fixture
def newcomer(client: Client) -> Client:
    client.force_login(
        factories.user("new@alliance.example"), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"kind": "merchant", "name": "   "}, "id_name"),
        ({"kind": "merchant", "name": "x" * 201}, "id_name"),
        ({"kind": "operator", "name": "Lotus Tea"}, "div_id_kind"),
        ({"name": "Lotus Tea"}, "div_id_kind"),
    ],
)
def test_onboarding_says_what_is_wrong(newcomer: Client, data: dict[str, str], field: str) -> None:
    response = newcomer.post(reverse("onboarding"), data)
    assert response.status_code == 422
    assert f'href="#{field}"' in _text(response)
    with scope(Scope.everything()):
        assert not Organisation.objects.exists()


@pytest.mark.django_db
def test_onboarding_happens_once(newcomer: Client) -> None:
    for _attempt in range(2):
        response = newcomer.post(reverse("onboarding"), {"kind": "merchant", "name": "Lotus Tea"})
        assert response.status_code == 302
    with scope(Scope.everything()):
        assert Organisation.objects.filter(kind="merchant").count() == 1


@pytest.mark.django_db
def test_onboarding_needs_a_log_in(client: Client) -> None:
    assert client.get(reverse("onboarding"))["Location"].startswith(reverse("account_login"))


# --- menu, organisations, language -----------------------------------------------------------


def _actor(kind: str, *capabilities: Capability) -> Actor:
    return Actor(
        kind="user",
        user_id=1,
        organisation_id=1,
        organisation_kind=kind,
        capabilities=frozenset(capabilities),
    )


def _menu(actor: Actor, at: str = "/") -> dict[str, navigation.NavEntry]:
    sections = navigation.navigation_for(RequestFactory().get(at), actor)
    return {str(entry.label): entry for section in sections for entry in section.entries}


@pytest.mark.django_db
def test_menu_holds_what_the_role_may_do() -> None:
    assert "API keys" in _menu(_actor("merchant", Capability.MANAGE_KEYS))
    assert "API keys" not in _menu(_actor("merchant", Capability.VIEW_PARCELS))
    assert _menu(Actor()) == {}


@pytest.mark.django_db
def test_menu_holds_what_the_kind_of_organisation_does(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = list(Capability)
    assert "Application" in _menu(_actor("courier", *everything))
    assert "Application" not in _menu(_actor("merchant", *everything))


@pytest.mark.django_db
def test_menu_leaves_out_what_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    item = navigation.NavItem("Moon flights", "rocket", "moon:flight_list", navigation.MEMBERS)
    monkeypatch.setattr(navigation, "NAVIGATION", (*navigation.NAVIGATION, item))
    assert "Moon flights" not in _menu(_actor("merchant", *Capability))


def test_menu_marks_the_list_that_a_page_is_under(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = _actor("merchant", Capability.MANAGE_KEYS, Capability.MANAGE_MEMBERS)
    entries = _menu(actor, reverse("api_key_list") + "17/")
    assert [label for label, entry in entries.items() if entry.active] == ["API keys"]


def test_menu_shows_how_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(navigation.counts, "api_key_list", lambda actor: 7)
    assert _menu(_actor("merchant", Capability.MANAGE_KEYS))["API keys"].count == 7


@pytest.mark.django_db
def test_member_of_two_switches_between_them(
    merchant_client: Client, merchant_user: User, rival_merchant: Organisation
) -> None:
    with scope(Scope.everything()):
        Member.objects.create(organisation=rival_merchant, user=merchant_user, role=Role.VIEWER)
    assert "Switch organisation" in _text(merchant_client.get(reverse("member_list")))
    merchant_client.post(reverse("organisation_switch"), {"organisation": rival_merchant.pk})
    # A viewer there: the page that an owner could open is closed.
    response = merchant_client.get(reverse("member_list"))
    assert response.status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["rival", "", "x", "-1", "99999999999999999999"])
def test_switching_to_somebody_elses_organisation_is_not_found(
    merchant_client: Client, rival_merchant: Organisation, given: str
) -> None:
    value = rival_merchant.pk if given == "rival" else given
    response = merchant_client.post(reverse("organisation_switch"), {"organisation": value})
    assert response.status_code == 404


@pytest.mark.django_db
def test_language_switch_keeps_the_page(client: Client) -> None:
    page = reverse("account_signup") + "?kind=courier"
    html = _text(client.get(page))
    assert '<html lang="en"' in html
    back = re.search(r'name="next" value="([^"]+)"', html)
    assert back is not None
    response = client.post(reverse("set_language"), {"language": "zh-hans", "next": back[1]})
    assert response["Location"] == page
    assert '<html lang="zh-Hans"' in _text(client.get(page))


@pytest.mark.django_db
def test_language_switch_leads_nowhere_else(client: Client) -> None:
    data = {"language": "zh-hans", "next": "https://elsewhere.example/"}
    assert client.post(reverse("set_language"), data)["Location"] == "/"


# --- policy ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_policy_is_strict_everywhere_and_wider_in_the_admin_only(client: Client, ops_client: Client) -> None:
    strict = client.get("/")["Content-Security-Policy"]
    assert "unsafe" not in strict
    assert "script-src 'self';" in strict + ";"
    admin = ops_client.get("/admin/alliance/organisation/")["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval'" in admin
    assert "style-src 'self' 'unsafe-inline'" in admin
    assert "unsafe" not in ops_client.get("/nothing/")["Content-Security-Policy"]


# --- errors ----------------------------------------------------------------------------------


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
    assert "0123456789abcdef" in _text(response)
    assert 'href="/"' in _text(response)
    assert refused_by_policy(_text(response)) == []


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
    response = errors.server_error(_request())
    assert response.status_code == 500
    assert "Something went wrong" in _text(response)
    assert "could not be drawn" in caplog.text


def test_error_of_a_service_becomes_its_page() -> None:
    response = errors.alliance_error(_request(), Conflict("The parcel has left."))
    assert response.status_code == 409
    assert "The parcel has left." in _text(response)


def test_too_many_requests_say_when_to_come_back() -> None:
    assert errors.alliance_error(_request(), TooMany(retry_after=17))["Retry-After"] == "17"


@pytest.mark.django_db
def test_unknown_address_is_a_page_with_the_request_id(client: Client) -> None:
    response = client.get("/nothing/here/")
    assert response.status_code == 404
    assert response["X-Request-Id"] in _text(response)


@pytest.mark.django_db
def test_form_without_its_token_is_explained() -> None:
    response = Client(enforce_csrf_checks=True).post(reverse("account_login"), {"login": "a@b.example"})
    assert response.status_code == 403
    assert "This form has expired" in _text(response)


@pytest.mark.django_db
def test_crash_of_a_view_is_a_page(client: Client, settings: LazySettings) -> None:
    settings.ROOT_URLCONF = "tests.alliance.gallery"
    client.raise_request_exception = False
    response = client.get("/gallery/broken/")
    assert response.status_code == 500
    assert response["X-Request-Id"] in _text(response)
    assert "broken on purpose" not in _text(response)


@pytest.mark.django_db
def test_an_address_that_only_takes_forms_says_so(merchant_client: Client) -> None:
    """Whoever logs in again after sending a form is led there."""
    response = merchant_client.get("/excuses/1/withdraw/")
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert "There is no page here" in _text(response)
    assert "Go to the start page" in _text(response)
