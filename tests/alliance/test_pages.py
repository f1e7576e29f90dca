"""The portal's own pages: front page, accounts, menu, organisation and language, policy."""

import re
from dataclasses import replace

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory
from django.urls import reverse, set_script_prefix
from django.utils.translation import override

from alliance.choices import Capability, OrganisationKind, OrganisationStatus, Role
from alliance.models import Member, Organisation, User
from alliance.portal import navigation
from alliance.portal.navigation import url_of
from alliance.portal.views import start_page
from alliance.tenancy import Actor, Scope, scope
from tests.alliance.helpers.pages import html_of, refused_by_policy

ACCOUNT_PAGES = [
    "account_login",
    "account_signup",
    "account_email_verification_sent",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_inactive",
]
MEMBER_PAGES = [
    "account_email", "account_change_password", "account_logout", "account_reauthenticate",
    "usersessions_list", "member_list", "api_key_list", "api_key_create",
]  # fmt: skip


# --- front page ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_stranger_sees_what_the_alliance_is(client: Client) -> None:
    html = html_of(client.get("/"))
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
    html = html_of(response)
    assert response.status_code == 200
    assert 'class="ca-entrance"' in html
    assert len(re.findall(r"<h1", html)) == 1
    assert refused_by_policy(html) == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", MEMBER_PAGES)
def test_member_page_is_ours(merchant_client: Client, name: str) -> None:
    response = merchant_client.get(reverse(name))
    assert response.status_code == 200
    assert re.search(r"css/(portal|public)\.min\.css", html_of(response))
    assert refused_by_policy(html_of(response)) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/accounts/confirm-email/nonsense/", "/accounts/password/reset/key/1-nonsense/"]
)
def test_dead_link_says_so_and_offers_a_way_on(client: Client, address: str) -> None:
    html = html_of(client.get(address))
    assert "This link no longer works" in html
    assert re.search(r'class="btn btn-primary w-100" href="/accounts/', html)


@pytest.mark.django_db
def test_sign_ups_over_the_limit_are_told_when_to_retry(client: Client, settings: LazySettings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"signup": "1/m/ip"}
    client.post(reverse("account_signup"), {})
    response = client.post(reverse("account_signup"), {})
    assert response.status_code == 429
    assert response["Retry-After"] == "180"
    assert "Too many requests. Wait a few minutes" in html_of(response)


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
    line = navigation.NavItem(
        "Moon flights", "rocket", "moon:flight_list", navigation.START, 50, navigation.MEMBERS
    )
    monkeypatch.setitem(navigation.NAVIGATION, line.url_name, line)
    assert "Moon flights" not in _menu(_actor("merchant", *Capability))


@pytest.mark.django_db
def test_lines_of_a_merchants_menu_stand_in_their_order() -> None:
    sections = navigation.navigation_for(RequestFactory().get("/"), _actor("merchant", *Capability))
    with override("en"):
        menu = {section.label: [str(entry.label) for entry in section.entries] for section in sections}
    assert list(menu) == ["", "Parcels", "Service", "Company"]
    assert menu[""] == ["Dashboard"]
    assert menu["Parcels"][:3] == ["Quote and book", "Book from a file", "Parcels"]
    assert menu["Company"] == ["Company data", "Members", "API keys", "Webhooks", "Request log"]


def test_no_two_lines_and_no_two_sections_of_the_menu_share_a_place() -> None:
    lines = list(navigation.NAVIGATION.values())
    assert len({(line.section.place, line.place) for line in lines}) == len(lines)
    sections = {(str(line.section.label), line.section.place) for line in lines}
    assert len({label for label, _place in sections}) == len(sections)
    assert len({place for _label, place in sections}) == len(sections)


def test_a_line_of_the_menu_is_added_once() -> None:
    with pytest.raises(ImproperlyConfigured, match="line of the menu of this name already: member_list"):
        navigation.register_menu(navigation.NAVIGATION["member_list"])


def test_menu_marks_the_list_that_a_page_is_under(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = _actor("merchant", Capability.MANAGE_KEYS, Capability.MANAGE_MEMBERS)
    entries = _menu(actor, reverse("api_key_list") + "17/")
    assert [label for label, entry in entries.items() if entry.active] == ["API keys"]


def test_menu_shows_how_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    line = replace(navigation.NAVIGATION["api_key_list"], count=lambda actor: 7)
    monkeypatch.setitem(navigation.NAVIGATION, "api_key_list", line)
    assert _menu(_actor("merchant", Capability.MANAGE_KEYS))["API keys"].count == 7


@pytest.mark.django_db
def test_member_of_two_switches_between_them(
    merchant_client: Client, merchant_user: User, rival_merchant: Organisation
) -> None:
    with scope(Scope.everything()):
        Member.objects.create(organisation=rival_merchant, user=merchant_user, role=Role.VIEWER)
    assert "Switch organisation" in html_of(merchant_client.get(reverse("member_list")))
    merchant_client.post(reverse("organisation_switch"), {"organisation": rival_merchant.pk})
    # A viewer there: the page that an owner could open is closed.
    response = merchant_client.get(reverse("member_list"))
    assert response.status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["rival", "", "x", "-1", "99999999999999999999"])
def test_switching_to_a_foreign_organisation_is_not_found(
    merchant_client: Client, rival_merchant: Organisation, given: str
) -> None:
    value = rival_merchant.pk if given == "rival" else given
    response = merchant_client.post(reverse("organisation_switch"), {"organisation": value})
    assert response.status_code == 404


@pytest.mark.django_db
def test_language_switch_keeps_the_page(client: Client) -> None:
    page = reverse("account_signup") + "?kind=courier"
    html = html_of(client.get(page))
    assert '<html lang="en"' in html
    back = re.search(r'name="next" value="([^"]+)"', html)
    assert back is not None
    response = client.post(reverse("set_language"), {"language": "zh-hans", "next": back[1]})
    assert response["Location"] == page
    assert '<html lang="zh-Hans"' in html_of(client.get(page))


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


def test_address_of_a_page_follows_where_the_product_is_served() -> None:
    assert (url_of("home"), url_of("no-such-page")) == ("/", "")
    set_script_prefix("/alliance/")
    try:
        assert url_of("home") == "/alliance/"
    finally:
        set_script_prefix("/")
    assert url_of("home") == "/"
