"""Members: an organisation's own pages."""

import pytest
from django.test import Client
from django.urls import reverse

from alliance.choices import Role
from alliance.models import Member, Organisation, User
from alliance.tenancy import Scope, scope
from tests import factories
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db


def test_owner_changes_a_role_and_removes_a_member(
    merchant_client: Client, merchant_organisation: Organisation
) -> None:
    colleague = factories.member_user("colleague@alliance.example", merchant_organisation, Role.AGENT)
    with scope(Scope.everything()):
        member = Member.objects.get(user=colleague)
    merchant_client.post(reverse("member_edit", args=[member.pk]), {"role": Role.VIEWER})
    with scope(Scope.everything()):
        member.refresh_from_db()
    assert member.role == Role.VIEWER
    confirmation = merchant_client.get(reverse("member_remove", args=[member.pk]))
    assert "loses access at once" in html_of(confirmation)
    merchant_client.post(reverse("member_remove", args=[member.pk]))
    with scope(Scope.everything()):
        assert not Member.objects.filter(user=colleague).exists()


@pytest.mark.parametrize("change", ["remove", "demote", "leave"])
def test_the_last_owner_stays(merchant_client: Client, merchant_user: User, change: str) -> None:
    with scope(Scope.everything()):
        member = Member.objects.get(user=merchant_user)
    address, data = {
        "remove": (reverse("member_remove", args=[member.pk]), {}),
        "demote": (reverse("member_edit", args=[member.pk]), {"role": Role.VIEWER}),
        "leave": (reverse("membership_leave", args=[member.organisation_id]), {}),
    }[change]
    response = merchant_client.post(address, data, follow=True)
    assert "needs at least one owner" in response.content.decode()
    with scope(Scope.everything()):
        assert Member.objects.filter(pk=member.pk, role=Role.OWNER).exists()


@pytest.mark.parametrize("role", Role.values)
def test_every_member_may_leave(merchant_user: User, merchant_organisation: Organisation, role: str) -> None:
    colleague = factories.member_user("colleague@alliance.example", merchant_organisation, role)
    client = factories.logged_in(colleague)
    address = reverse("membership_leave", args=[merchant_organisation.pk])
    assert "lose access at once" in html_of(client.get(address))
    assert client.post(address)["Location"] == reverse("membership_list")
    # Without an organisation again: it may found its own.
    assert client.get("/")["Location"] == reverse("onboarding")
    assert client.get(address).status_code == 404


def test_members_of_others_are_not_there(merchant_client: Client, courier_user: User) -> None:
    with scope(Scope.everything()):
        other_member = Member.objects.get(user=courier_user)
    assert merchant_client.post(reverse("member_remove", args=[other_member.pk])).status_code == 404


def test_a_viewer_may_not_manage_members(merchant_organisation: Organisation) -> None:
    client = Client()
    client.force_login(
        factories.member_user("viewer@alliance.example", merchant_organisation, Role.VIEWER),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.get(reverse("member_list")).status_code == 403
    assert client.get(reverse("api_key_list")).status_code == 403


@pytest.mark.parametrize("name", ["member_list", "api_key_list"])
def test_staff_see_no_company_s_people_and_keys(ops_client: Client, merchant_user: User, name: str) -> None:
    response = ops_client.get(reverse(name))
    assert response.status_code == 404
    assert merchant_user.email not in html_of(response)
