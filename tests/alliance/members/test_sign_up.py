"""Sign-up and the creation of an organisation."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse

from alliance.choices import OrganisationStatus, Role
from alliance.members.services import organisations
from alliance.members.services.organisations import create_first_organisation
from alliance.models import Member, Organisation, User
from alliance.tenancy import Actor, Scope, scope
from tests import factories
from tests.alliance.helpers.pages import html_of


def _sign_up(client: Client, kind: str) -> None:
    password = factories.PASSWORD
    client.post(
        reverse("account_signup"),
        {"kind": kind, "email": "new@alliance.example", "password1": password, "password2": password},
    )
    address = re.search(r"http://127.0.0.1:8000(/accounts/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert address is not None
    client.post(address[1])


@pytest.mark.django_db
def test_door_in_the_address_is_chosen_already(client: Client) -> None:
    html = html_of(client.get(reverse("account_signup") + "?kind=courier"))
    assert re.search(r'value="courier" required checked', html)
    assert not re.search(r'value="merchant" required checked', html)


@pytest.mark.django_db
def test_sign_up_without_a_door_is_an_error_beside_it(client: Client) -> None:
    password = factories.PASSWORD
    data = {"email": "new@alliance.example", "password1": password, "password2": password}
    html = html_of(client.post(reverse("account_signup"), data))
    assert 'href="#div_id_kind"' in html
    assert not User.objects.filter(email="new@alliance.example").exists()


@pytest.mark.django_db
def test_merchant_signs_up_and_has_an_organisation(client: Client) -> None:
    _sign_up(client, "merchant")
    page = client.get("/", follow=True)
    assert page.redirect_chain[-1][0] == reverse("onboarding")
    assert re.search(r'value="merchant" required checked', html_of(page))
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
    assert f'href="#{field}"' in html_of(response)
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


def _at_once(*users: User) -> list[int]:
    """Let each user set up a company of one name at the same moment; return the companies' ids."""

    def set_up(user: User) -> int:
        try:
            actor = Actor(kind="user", user_id=user.pk, label=user.email)
            return create_first_organisation(actor=actor, kind="courier", name="Lotus Express")
        finally:
            connection.close()

    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(set_up, users))


@pytest.mark.django_db(transaction=True)
def test_double_click_creates_one_company() -> None:
    user = factories.user("new@alliance.example")
    assert len(set(_at_once(user, user, user))) == 1
    with scope(Scope.everything()):
        assert Organisation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_companies_of_one_name_at_once_are_two() -> None:
    users = [factories.user(f"new{number}@alliance.example") for number in range(3)]
    assert len(set(_at_once(*users))) == 3


def test_namesakes_have_numbers_and_of_many_a_number_at_random(
    db: None, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organisations, "MOST_NUMBERED", 3)
    with scope(Scope.everything()):
        for slug in ("lotus", "lotus-2", "lotus-3"):
            with django_assert_num_queries(1):
                assert organisations.free_slug("Lotus") == slug
            Organisation.objects.create(kind="merchant", name="Lotus", slug=slug)
        with django_assert_num_queries(1):
            assert re.fullmatch(r"lotus-\d{8}", organisations.free_slug("Lotus"))
