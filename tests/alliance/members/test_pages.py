"""Members and API keys: an organisation's own pages."""

import pytest
from django.test import Client
from django.urls import reverse

from alliance.choices import Role
from alliance.members.services.api_keys import actor_of_key
from alliance.models import ApiKey, Member, Organisation, User
from alliance.tenancy import Scope, scope
from tests import factories

pytestmark = pytest.mark.django_db


def test_owner_adds_and_removes_a_member(
    merchant_client: Client, merchant_organisation: Organisation
) -> None:
    colleague = factories.user("colleague@alliance.example")
    merchant_client.post(reverse("member_list"), {"email": "Colleague@alliance.example", "role": Role.VIEWER})
    with scope(Scope.everything()):
        member = Member.objects.get(user=colleague)
    assert (member.organisation_id, member.role) == (merchant_organisation.pk, Role.VIEWER)
    merchant_client.post(reverse("member_remove", args=[member.pk]))
    with scope(Scope.everything()):
        assert not Member.objects.filter(user=colleague).exists()


def test_unknown_address_is_an_error_at_the_field(merchant_client: Client) -> None:
    response = merchant_client.post(
        reverse("member_list"), {"email": "nobody@x.example", "role": Role.VIEWER}
    )
    assert response.status_code == 422
    assert "No account has this address" in response.content.decode()


def test_the_last_owner_stays(merchant_client: Client, merchant_user: User) -> None:
    with scope(Scope.everything()):
        member = Member.objects.get(user=merchant_user)
    response = merchant_client.post(reverse("member_remove", args=[member.pk]), follow=True)
    assert "needs at least one owner" in response.content.decode()
    with scope(Scope.everything()):
        assert Member.objects.filter(pk=member.pk).exists()


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


def test_a_key_is_shown_once_and_works_until_revoked(merchant_client: Client) -> None:
    response = merchant_client.post(reverse("api_key_list"), {"name": "ERP", "scopes": ["parcels:book"]})
    token = response.context["token"]
    assert token in response.content.decode()
    assert token not in merchant_client.get(reverse("api_key_list")).content.decode()
    actor = actor_of_key(token)
    assert actor is not None
    assert {str(c) for c in actor.capabilities} == {"parcels:book"}
    merchant_client.post(reverse("api_key_revoke", args=[actor.api_key_id]))
    assert actor_of_key(token) is None


def test_only_the_hash_of_a_key_is_kept(merchant_client: Client) -> None:
    response = merchant_client.post(reverse("api_key_list"), {"name": "ERP", "scopes": ["parcels:book"]})
    with scope(Scope.everything()):
        key = ApiKey.objects.get()
    assert response.context["token"].rsplit("_", 1)[1] not in key.secret_hash


def test_a_key_cannot_do_what_its_organisation_cannot(merchant_client: Client) -> None:
    response = merchant_client.post(reverse("api_key_list"), {"name": "ERP", "scopes": ["scans:write"]})
    assert response.status_code == 422
