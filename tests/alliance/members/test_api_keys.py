"""API keys: made, rotated and revoked; when they end, where from they work, and what their scopes allow."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alliance.choices import Capability, Role
from alliance.errors import Conflict, InvalidInput
from alliance.members.services import key_holders
from alliance.members.services.api_keys import GRACE, create_api_key, revoke_api_key, rotate_api_key
from alliance.members.services.key_endings import warn_of_ends
from alliance.members.services.key_holders import actor_of_key, write_uses
from alliance.models import ApiKey, Member, Organisation, OutgoingMail, User
from alliance.tenancy import Actor, Scope, scope
from tests import factories
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db
PARCELS = "/api/v1/parcels?page_size=1"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    key_holders._uses.clear()


def made(actor: Actor, *resources: str, **options: Any) -> tuple[ApiKey, str]:
    with scope(Scope.of(actor)):
        return create_api_key(actor=actor, name="ERP", resources=resources or ["parcels:read"], **options)


def program(token: str, address: str = "203.0.113.7") -> Client:
    return Client(headers={"authorization": f"Bearer {token}"}, REMOTE_ADDR=address)


def is_nobody(token: str) -> bool:
    actor = actor_of_key(token)
    return actor is None or actor.is_anonymous


def new_key(client: Client, *resources: str) -> str:
    data = {"name": "ERP", "resources": resources, "lifetime": "90"}
    response = client.post(reverse("api_key_create"), data, follow=True)
    return str(response.context["token"])


# --- pages ---


def test_a_key_is_shown_once_and_works_until_revoked(merchant_client: Client) -> None:
    data = {"name": "ERP", "job": "orders", "resources": ["rates:read"], "lifetime": "30", "networks": ""}
    response = merchant_client.post(reverse("api_key_create"), data)
    # Reloading the page that follows neither makes a second key nor shows the secret again.
    assert response["Location"] == reverse("api_key_list")
    page = merchant_client.get(reverse("api_key_list"))
    token = page.context["token"]
    assert token in html_of(page)
    assert token not in html_of(merchant_client.get(reverse("api_key_list")))
    with scope(Scope.everything()):
        key = ApiKey.objects.get()
    assert key.resources == [
        "labels:read",
        "parcels:write",
        "rates:read",
        "recipients:write",
        "returns:write",
    ]
    assert key.expires_at - key.created_at == timedelta(days=30)
    assert program(token).get(PARCELS).status_code == 200
    assert write_uses() == 1
    address = reverse("api_key_revoke", args=[key.pk])
    assert "A program last used it on" in html_of(merchant_client.get(address))
    assert "203.0.113.7" in html_of(merchant_client.get(reverse("api_key_list")))
    merchant_client.post(address)
    assert is_nobody(token)
    assert "revoked on" in program(token).get(PARCELS).json()["detail"]


def test_only_the_hash_of_a_key_is_kept(merchant_client: Client) -> None:
    token = new_key(merchant_client, "parcels:write")
    with scope(Scope.everything()):
        key = ApiKey.objects.get()
    assert token.rsplit("_", 1)[1] not in key.secret_hash


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"resources": ["scans:write"]}, "resources"),
        ({"resources": []}, "resources"),
        ({"job": "depot"}, "job"),
        ({"networks": "203.0.113.7, 10.0.0.300"}, "networks"),
        ({"lifetime": "0"}, "lifetime"),
        ({"name": ""}, "name"),
    ],
)
def test_a_wrong_form_says_where(merchant_client: Client, wrong: dict[str, Any], field: str) -> None:
    data = {"name": "ERP", "resources": ["parcels:read"], "lifetime": "90", **wrong}
    response = merchant_client.post(reverse("api_key_create"), data)
    assert response.status_code == 422
    assert field in response.context["form"].errors
    if field == "networks":
        assert "Entry 2, “10.0.0.300”" in html_of(response)


def test_rotating_on_the_page(merchant_client: Client, merchant: Actor) -> None:
    key, token = made(merchant, networks="203.0.113.0/24")
    address = reverse("api_key_rotate", args=[key.pk])
    assert "same name, permissions, addresses" in html_of(merchant_client.get(address))
    page = merchant_client.post(address, follow=True)
    new = page.context["token"]
    assert new != token
    assert "Another key took its place." in html_of(page)
    assert [program(each).get(PARCELS).status_code for each in (token, new)] == [200, 200]
    again = merchant_client.post(address, follow=True)
    assert "rotated already" in html_of(again)


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
    assert is_nobody(token)
    api = Client(headers={"authorization": f"Bearer {token}"})
    assert api.get("/api/v1/parcels?page_size=1&unmask=true").status_code == 401
    # It does not live again when the person comes back.
    with scope(Scope.everything()):
        Member.objects.create(organisation_id=member.organisation_id, user=manager, role=Role.OWNER)
    assert is_nobody(token)


def test_a_key_may_no_more_than_its_creator_may_now(merchant_client: Client, manager: User) -> None:
    token = new_key(factories.logged_in(manager), "parcels:write", "rates:read")
    with scope(Scope.everything()):
        member = Member.objects.get(user=manager)
    merchant_client.post(reverse("member_edit", args=[member.pk]), {"role": Role.VIEWER})
    actor = actor_of_key(token)
    assert actor is not None
    assert {str(c) for c in actor.capabilities} == {"parcels:read", "rates:read"}
    assert "Reduced: its creator's role has changed." in html_of(merchant_client.get(reverse("api_key_list")))


def test_keys_of_a_deactivated_account_stop(merchant_client: Client, manager: User) -> None:
    token = new_key(factories.logged_in(manager), "parcels:read")
    manager.is_active = False
    manager.save(update_fields=["is_active"])
    assert is_nobody(token)
    assert "Its creator is no longer a member." in html_of(merchant_client.get(reverse("api_key_list")))


# --- the end of a key ---


def test_an_expired_key_is_told_so_and_nobody_else_is(merchant: Actor) -> None:
    key, token = made(merchant, days=1, now=timezone.now() - timedelta(days=2))
    response = program(token).get(PARCELS)
    assert response.status_code == 401
    assert response["WWW-Authenticate"]
    problem = response.json()
    assert problem["type"] == "urn:alliance:problem:key_expired"
    assert timezone.localtime(key.expires_at).isoformat(" ", "minutes") in problem["detail"]
    other = f"ca_{key.prefix}_{'x' * 43}"
    answer = program(other).get(PARCELS)
    assert answer.status_code == 401
    assert "expired" not in answer.content.decode()
    # What is for everybody is for its program, too.
    assert program(token).get("/api/schema/?format=json").status_code == 200


def test_a_key_ends_at_its_moment(merchant: Actor) -> None:
    key, token = made(merchant, days=1)
    end = key.expires_at
    assert actor_of_key(token, now=end - timedelta(microseconds=1)).api_key_id == key.pk
    assert actor_of_key(token, now=end).is_anonymous


def test_a_key_that_never_ends(merchant: Actor) -> None:
    key, token = made(merchant, days=None)
    assert key.expires_at is None
    assert not actor_of_key(token, now=NOW + timedelta(days=36_500)).is_anonymous


def test_rotated_keys_both_work_for_a_day(merchant: Actor) -> None:
    key, token = made(merchant, "parcels:read", "labels:read", days=30, networks="203.0.113.7", now=NOW)
    later = NOW + timedelta(days=20)
    with scope(Scope.of(merchant)):
        new, new_token = rotate_api_key(actor=merchant, api_key_id=key.pk, now=later)
        key.refresh_from_db()
    assert (new.name, new.resources, new.scopes, new.networks) == (
        key.name, key.resources, key.scopes, ["203.0.113.7/32"],
    )  # fmt: skip
    assert new.expires_at == later + timedelta(days=30)
    here = {"address": "203.0.113.7"}
    for moment, works in [
        (later, True),
        (later + GRACE - timedelta(seconds=1), True),
        (later + GRACE, False),
    ]:
        assert actor_of_key(token, now=moment, **here).is_anonymous is not works
        assert not actor_of_key(new_token, now=moment, **here).is_anonymous


def test_rotating_prolongs_no_key(merchant: Actor) -> None:
    key, _token = made(merchant, days=1, now=NOW)
    with scope(Scope.of(merchant)):
        rotate_api_key(actor=merchant, api_key_id=key.pk, now=NOW + timedelta(hours=20))
        key.refresh_from_db()
        assert key.expires_at == NOW + timedelta(days=1)
        with pytest.raises(Conflict, match="rotated already"):
            rotate_api_key(actor=merchant, api_key_id=key.pk, now=NOW + timedelta(hours=21))


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_what_has_ended_is_not_rotated(merchant: Actor, how: str) -> None:
    key, _token = made(merchant, days=1, now=NOW)
    with scope(Scope.of(merchant)):
        if how == "revoked":
            revoke_api_key(actor=merchant, api_key_id=key.pk, now=NOW)
        with pytest.raises(Conflict, match="has ended"):
            rotate_api_key(actor=merchant, api_key_id=key.pk, now=NOW + timedelta(days=1))


def mails_at(moment: datetime) -> list[tuple[str, str]]:
    with scope(Scope.everything()):
        OutgoingMail.objects.all().delete()
    warn_of_ends(now=moment)
    warn_of_ends(now=moment)
    with scope(Scope.everything()):
        return sorted(OutgoingMail.objects.values_list("to", "subject"))


def test_mails_before_the_end_go_to_those_who_make_keys_once(merchant: Actor, merchant_user: User) -> None:
    organisation = Organisation(pk=merchant.tenant_id)
    factories.member_user("agent@alliance.example", organisation, Role.AGENT)
    factories.member_user("manager@alliance.example", organisation, Role.MANAGER)
    made(merchant, days=90, now=NOW)
    end = NOW + timedelta(days=90)
    who = sorted(["manager@alliance.example", merchant_user.email])
    days = [15, 14, 13, 4, 3, 2, 1, 0, -1]
    sent = {day: mails_at(end - timedelta(days=day)) for day in days}
    assert {day: [to for to, _subject in mails] for day, mails in sent.items() if mails} == {
        14: who, 3: who, 0: who,
    }  # fmt: skip
    assert "expires on" in sent[3][0][1]
    assert "has expired" in sent[0][0][1]


def test_no_mails_about_keys_that_somebody_ended(merchant: Actor, merchant_user: User) -> None:
    revoked, _token = made(merchant, days=10, now=NOW)
    rotated, _token = made(merchant, days=10, now=NOW)
    with scope(Scope.of(merchant)):
        revoke_api_key(actor=merchant, api_key_id=revoked.pk)
        rotate_api_key(actor=merchant, api_key_id=rotated.pk, now=NOW)
    # A key of ten days is not told at once that it ends within fourteen.
    assert mails_at(NOW + timedelta(days=1)) == []
    assert len(mails_at(NOW + timedelta(days=8))) == 1


# --- where from ---


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        ("203.0.113.0/24", "203.0.113.255", 200),
        ("203.0.113.0/24", "203.0.114.1", 403),
        ("203.0.113.9/24", "203.0.113.1", 200),
        ("198.51.100.1\n2001:db8::/48", "2001:db8:0:ffff::1", 200),
        ("2001:db8::/48", "2001:db9::1", 403),
        ("2001:db8::1", "2001:db8::2", 403),
        ("203.0.113.7", "::ffff:203.0.113.7", 200),
        ("::ffff:203.0.113.7", "203.0.113.7", 200),
        ("203.0.113.7，203.0.113.8", "203.0.113.8", 200),
    ],
)
def test_a_key_works_from_its_addresses(merchant: Actor, networks: str, address: str, status: int) -> None:
    _key, token = made(merchant, networks=networks)
    response = program(token, address).get(PARCELS)
    assert response.status_code == status
    if status == 403:
        problem = response.json()
        assert problem["type"] == "urn:alliance:problem:address_not_allowed"
        assert f"not be used from {address}:" in problem["detail"]


def test_the_address_is_the_one_that_our_proxy_saw(merchant: Actor, settings: Any) -> None:
    _key, token = made(merchant, networks="203.0.113.7")
    invented = {"HTTP_X_FORWARDED_FOR": "203.0.113.7"}
    assert program(token, "192.0.2.1").get(PARCELS, **invented).status_code == 403
    settings.TRUSTED_PROXIES = 1
    assert program(token, "192.0.2.1").get(PARCELS, **invented).status_code == 200
    more = {"HTTP_X_FORWARDED_FOR": "203.0.113.7, 198.51.100.1"}
    assert "198.51.100.1" in program(token, "192.0.2.1").get(PARCELS, **more).json()["detail"]


def test_too_many_addresses_are_refused(merchant: Actor) -> None:
    with pytest.raises(InvalidInput) as caught:
        made(merchant, networks="\n".join(f"10.0.0.{last}" for last in range(51)))
    assert [error.pointer for error in caught.value.errors] == ["/networks"]


# --- last use ---


def test_use_is_written_once_a_minute(merchant: Actor) -> None:
    key, token = made(merchant)
    for seconds, written in [(0, 1), (30, 0), (61, 1)]:
        at = NOW + timedelta(seconds=seconds)
        assert actor_of_key(token, address="203.0.113.7", now=at) is not None
        assert write_uses() == written
    with scope(Scope.of(merchant)):
        key.refresh_from_db()
    assert (key.last_used_at, key.last_used_from) == (NOW + timedelta(seconds=61), "203.0.113.7")


def test_looking_a_key_up_is_one_statement_and_writes_nothing(merchant: Actor) -> None:
    _key, token = made(merchant)
    with CaptureQueriesContext(connection) as sent:
        actor_of_key(token, address="203.0.113.7")
    others = ("SAVEPOINT", "RELEASE", "SET LOCAL")
    statements = [each["sql"] for each in sent if not each["sql"].startswith(others)]
    assert len(statements) == 1
    assert "alliance_key_holder" in statements[0]


# --- scopes ---


@pytest.mark.parametrize(
    ("scopes", "call", "needed"),
    [
        (["parcels:read"], ("post", "/api/v1/parcels"), "parcels:write"),
        (["parcels:write"], ("get", "/api/v1/manifests"), "manifests:read"),
        (["parcels:write"], ("post", "/api/v1/parcels/labels"), "labels:read"),
        (["labels:read"], ("get", "/api/v1/parcels"), "parcels:read"),
        (["parcels:read"], ("post", "/api/v1/quotes"), "parcels:write"),
        (["exports:read"], ("post", "/api/v1/exports"), "exports:write"),
    ],
)
def test_a_missing_scope_is_named(
    merchant: Actor, scopes: list[str], call: tuple[str, str], needed: str
) -> None:
    _key, token = made(merchant, *scopes)
    response = getattr(program(token), call[0])(call[1], data={}, content_type="application/json")
    assert response.status_code == 403
    problem = response.json()
    assert problem["type"] == "urn:alliance:problem:missing_scope"
    assert problem["scope"] == needed
    assert needed in problem["detail"]


@pytest.mark.parametrize(
    ("scopes", "address"),
    [
        (["parcels:write"], "/api/v1/parcels"),
        (["manifests:write"], "/api/v1/manifests"),
        (["exports:write"], "/api/v1/exports"),
        (["rates:read"], "/api/v1/tiers"),
        (["statements:read"], "/api/v1/statements"),
        (["rules:read"], "/api/v1/allocation-rules"),
        (["returns:read"], "/api/v1/return-requests"),
        (["recipients:read"], "/api/v1/recipients"),
    ],
)
def test_writing_includes_reading_and_rules_are_open(
    merchant: Actor, scopes: list[str], address: str
) -> None:
    _key, token = made(merchant, *scopes)
    assert program(token).get(address).status_code == 200


def test_labels_unmask_nothing_else(merchant: Actor) -> None:
    _key, token = made(merchant, "labels:read", "parcels:read")
    refused = program(token).get("/api/v1/parcels?unmask=true")
    assert refused.status_code == 403
    _key, token = made(merchant, "parcels:read", "parcels:unmask")
    assert program(token).get("/api/v1/parcels?unmask=true").status_code == 200


def test_a_key_of_before_goes_wherever_its_capabilities_lead(merchant: Actor) -> None:
    with scope(Scope.of(merchant)):
        key, token = create_api_key(actor=merchant, name="old", scopes={Capability.VIEW_PARCELS})
    assert key.resources is None
    answers = {word: program(token).get(f"/api/v1/{word}").status_code for word in ("manifests", "exports")}
    assert answers == {"manifests": 200, "exports": 403}
