"""Members and API keys: an organisation's own pages."""

import pytest
from django.test import Client
from django.urls import reverse

from alliance.choices import Role
from alliance.members.services.api_keys import actor_of_key
from alliance.models import ApiKey, Member, Organisation, User
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


def new_key(client: Client, *scopes: str) -> str:
    response = client.post(reverse("api_key_list"), {"name": "ERP", "scopes": scopes}, follow=True)
    return str(response.context["token"])


def test_a_key_is_shown_once_and_works_until_revoked(merchant_client: Client) -> None:
    response = merchant_client.post(reverse("api_key_list"), {"name": "ERP", "scopes": ["parcels:book"]})
    # Reloading the page that follows neither makes a second key nor shows the secret again.
    assert response["Location"] == reverse("api_key_list")
    page = merchant_client.get(reverse("api_key_list"))
    token = page.context["token"]
    assert token in html_of(page)
    assert token not in html_of(merchant_client.get(reverse("api_key_list")))
    with scope(Scope.everything()):
        assert ApiKey.objects.count() == 1
    actor = actor_of_key(token)
    assert actor is not None
    assert {str(c) for c in actor.capabilities} == {"parcels:book"}
    address = reverse("api_key_revoke", args=[actor.api_key_id])
    assert "A program last used it on" in html_of(merchant_client.get(address))
    merchant_client.post(address)
    assert actor_of_key(token) is None


def test_only_the_hash_of_a_key_is_kept(merchant_client: Client) -> None:
    token = new_key(merchant_client, "parcels:book")
    with scope(Scope.everything()):
        key = ApiKey.objects.get()
    assert token.rsplit("_", 1)[1] not in key.secret_hash


def test_a_key_cannot_do_what_its_organisation_cannot(merchant_client: Client) -> None:
    response = merchant_client.post(reverse("api_key_list"), {"name": "ERP", "scopes": ["scans:write"]})
    assert response.status_code == 422


# --- keys of people whose rights changed ---


@pytest.fixture
def manager(merchant_organisation: Organisation) -> User:
    return factories.member_user("manager@alliance.example", merchant_organisation, Role.MANAGER)


def test_removing_a_manager_stops_its_keys_and_says_so(merchant_client: Client, manager: User) -> None:
    token = new_key(factories.logged_in(manager), "parcels:read", "parcels:unmask")
    with scope(Scope.everything()):
        member = Member.objects.get(user=manager)
    assert manager.email in html_of(merchant_client.get(reverse("api_key_list")))
    address = reverse("member_remove", args=[member.pk])
    assert "This API key stops at once" in html_of(merchant_client.get(address))
    response = merchant_client.post(address, follow=True)
    assert "1 API key stopped: ERP." in html_of(response)
    assert actor_of_key(token) is None
    api = Client(headers={"authorization": f"Bearer {token}"})
    assert api.get("/api/v1/parcels?page_size=1&unmask=true").status_code == 401
    # It does not live again when the person comes back.
    with scope(Scope.everything()):
        Member.objects.create(organisation_id=member.organisation_id, user=manager, role=Role.OWNER)
    assert actor_of_key(token) is None


def test_a_key_may_no_more_than_its_creator_may_now(merchant_client: Client, manager: User) -> None:
    token = new_key(factories.logged_in(manager), "parcels:read", "parcels:book")
    with scope(Scope.everything()):
        member = Member.objects.get(user=manager)
    merchant_client.post(reverse("member_edit", args=[member.pk]), {"role": Role.VIEWER})
    actor = actor_of_key(token)
    assert actor is not None
    assert {str(c) for c in actor.capabilities} == {"parcels:read"}
    assert "Reduced: its creator's role has changed." in html_of(merchant_client.get(reverse("api_key_list")))


def test_keys_of_a_deactivated_account_stop(merchant_client: Client, manager: User) -> None:
    token = new_key(factories.logged_in(manager), "parcels:read")
    manager.is_active = False
    manager.save(update_fields=["is_active"])
    assert actor_of_key(token) is None
    assert "Disabled: its creator is no longer a member." in html_of(
        merchant_client.get(reverse("api_key_list"))
    )


@pytest.mark.parametrize("name", ["member_list", "api_key_list"])
def test_staff_see_no_company_s_people_and_keys(ops_client: Client, merchant_user: User, name: str) -> None:
    response = ops_client.get(reverse(name))
    assert response.status_code == 404
    assert merchant_user.email not in html_of(response)
