"""Keys, pages, labels and tracking of test mode: what is said to be a test, and who may what."""

import json
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.choices import Role
from alliance.members.services.key_holders import actor_of_key
from alliance.members.services.members import remove_member
from alliance.members.services.sandboxes import open_sandbox
from alliance.members.services.standing import suspend_organisation
from alliance.models import ApiKey, Organisation
from alliance.sandboxes import is_sandbox, sandbox_of
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import Story
from parcels.labels.layout import Layout, Text
from parcels.labels.queries import labels_of
from parcels.labels.rules import DEFAULT_SIZE
from parcels.labels.texts import TEST, words
from parcels.models import Parcel
from parcels.webhooks.services import delivering
from slas.listed import with_names
from slas.models import Offer
from tests import factories
from tests.parcels.helpers.bookings import book
from tests.parcels.helpers.parcel_views import client_of, text_of
from tests.parcels.sandboxes.helpers import finish, parcel_of, program_of, sandbox_of_merchant, tell
from tests.parcels.webhooks.helpers import endpoint
from tests.parcels.webhooks.receiver import receiving

GO = "/test-mode/"
BAR = "Nobody carries these parcels."


@pytest.fixture
def sandbox(merchant: Actor) -> Actor:
    return sandbox_of_merchant(merchant)


def _token(api: APIClient) -> str:
    return str(api._credentials["HTTP_AUTHORIZATION"]).removeprefix("Bearer ")  # noqa: SLF001


# --- keys ---


@pytest.mark.django_db
def test_the_prefix_of_a_key_says_what_it_is_of(sandbox: Actor, merchant: Actor) -> None:
    tokens = [_token(factories.api_client(actor, {"parcels:read"})) for actor in (sandbox, merchant)]
    assert [token.startswith("ca_test_") for token in tokens] == [True, False]
    known = [actor_of_key(token) for token in tokens]
    assert [actor and actor.is_test for actor in known] == [True, False]


@pytest.mark.django_db
def test_a_key_under_the_other_prefix_is_nobodys(sandbox: Actor, merchant: Actor) -> None:
    test, live = (_token(factories.api_client(actor, {"parcels:read"})) for actor in (sandbox, merchant))
    assert actor_of_key(test.replace("ca_test_", "ca_")) is None
    assert actor_of_key(live.replace("ca_", "ca_test_", 1)) is None


@pytest.mark.django_db
def test_a_test_key_lives_with_its_creators_role_at_the_merchant(
    merchant_organisation: Organisation, merchant: Actor, everything: None
) -> None:
    user = factories.member_user("dev@alliance.example", merchant_organisation, Role.MANAGER)
    sandbox = sandbox_of_merchant(merchant)
    maker = Actor(**{**_fields(sandbox), "user_id": user.pk})
    token = _token(factories.api_client(maker, {"parcels:read"}))
    found = actor_of_key(token)
    assert found is not None
    assert found.role == Role.MANAGER
    member = user.memberships.get()
    with scope(Scope.of(merchant)):
        [ended] = remove_member(actor=merchant, member_id=member.pk)
    assert token.startswith(ended.beginning)
    revoked = actor_of_key(token)
    assert revoked is not None
    assert revoked.refusal is not None
    assert revoked.refusal.code == "key_revoked"


def _fields(actor: Actor) -> dict[str, Any]:
    return {name: getattr(actor, name) for name in actor.__dataclass_fields__}


@pytest.mark.django_db
def test_test_keys_settle_export_and_change_nothing(sandbox: Actor) -> None:
    with scope(Scope.of(sandbox)), pytest.raises(Exception, match="Some of the input"):
        factories.api_client(sandbox, {"finance:read"})
    api = program_of(sandbox)
    for route in ("statements", "exports", "freight-statements", "surcharges"):
        assert api.get(f"/api/v1/{route}").status_code == 403, route


@pytest.mark.django_db
def test_a_sandbox_is_suspended_with_its_merchant(sandbox: Actor, sold: Offer, system: Actor) -> None:
    api = program_of(sandbox)
    with scope(Scope.everything()):
        suspend_organisation(
            actor=system, organisation_id=sandbox.tenant_id - sandbox_of(0), reason="Not paid."
        )
    answer = api.post("/api/v1/parcels", {})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:alliance:problem:organisation_suspended")


# --- the sandbox ---


@pytest.mark.django_db(transaction=True)
def test_two_first_visits_at_once_open_one_sandbox(merchant: Actor) -> None:
    opened: list[int] = []

    def visit() -> None:
        try:
            with scope(Scope.of(merchant)):
                opened.append(open_sandbox(actor=merchant))
        finally:
            connection.close()

    threads = [threading.Thread(target=visit) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [sandbox_of(merchant.tenant_id)] * 4


@pytest.mark.django_db
def test_the_pages_are_those_of_the_sandbox_until_one_goes_back(
    merchant_client: Client, merchant: Actor, sold: Offer, merchant_api: APIClient
) -> None:
    live = book(merchant_api)["tracking_number"]
    assert "Go to test mode" in text_of(merchant_client.get("/api-keys/"))
    assert merchant_client.post(GO, {"mode": "test"}).headers["Location"] == "/api-keys/"
    keys = text_of(merchant_client.get("/api-keys/"))
    assert BAR in keys
    assert "Test keys" in keys
    sandbox = sandbox_of_merchant(merchant)
    number = tell(program_of(sandbox), Story.DELIVERED)
    listed = text_of(merchant_client.get("/parcels/"))
    assert number in listed
    assert live not in listed
    assert BAR in listed
    assert BAR in text_of(merchant_client.get(f"/parcels/{number}/"))
    assert merchant_client.get(f"/parcels/{live}/").status_code == 404
    merchant_client.post(GO, {"mode": "live"})
    listed = text_of(merchant_client.get("/parcels/"))
    assert number not in listed
    assert live in listed
    assert BAR not in listed


@pytest.mark.django_db
def test_keys_made_in_test_mode_are_test_keys(merchant_client: Client, merchant: Actor) -> None:
    merchant_client.post(GO, {"mode": "test"})
    form = {"name": "till", "job": "", "resources": ["parcels:write"], "lifetime": "90"}
    page = merchant_client.post("/api-keys/new/", form, follow=True).content.decode()
    assert 'value="ca_test_' in page
    assert "no longer a member" not in page
    with scope(Scope.everything()):
        assert is_sandbox(ApiKey.objects.get().organisation_id)


@pytest.mark.django_db
def test_a_viewer_sees_test_parcels_and_no_keys(merchant_organisation: Organisation, sold: Offer) -> None:
    client = client_of(merchant_organisation)
    assert client.post(GO, {"mode": "test"}).headers["Location"] == "/"
    assert BAR in text_of(client.get("/parcels/"))
    assert client.get("/api-keys/").status_code == 403


@pytest.mark.django_db
def test_nobody_gets_into_the_sandbox_of_another(
    merchant_client: Client, merchant: Actor, rival_merchant: Organisation
) -> None:
    sandbox_of_merchant(merchant)
    rival = client_of(rival_merchant, Role.OWNER)
    session = rival.session
    session["organisation_id"] = sandbox_of(merchant.tenant_id)
    session.save()
    page = text_of(rival.get("/parcels/"))
    assert "Bamboo Books" in page
    assert BAR not in page


@pytest.mark.django_db
def test_couriers_and_staff_have_no_test_mode(courier_client: Client, ops_client: Client) -> None:
    assert courier_client.post(GO).status_code == 403
    assert ops_client.post(GO).status_code == 404


@pytest.mark.django_db
def test_ops_do_not_find_sandboxes_among_merchants(sandbox: Actor, ops_client: Client) -> None:
    page = ops_client.get("/admin/parcels/merchant/").content.decode()
    assert "Lotus Tea" in page
    assert str(sandbox.organisation_id) not in page
    organisations = ops_client.get("/admin/alliance/organisation/").content.decode()
    assert str(sandbox.organisation_id) not in organisations


# --- what says that it is a test ---


@pytest.mark.django_db
def test_tracking_says_so(sandbox: Actor, sold: Offer, merchant_api: APIClient, client: Client) -> None:
    test, live = tell(program_of(sandbox), Story.DELIVERED), book(merchant_api)["tracking_number"]
    assert client.get(f"/api/v1/tracking/{test}").json()["is_test"] is True
    assert client.get(f"/api/v1/tracking/{live}").json()["is_test"] is False
    sentence = "there is no such parcel"
    assert sentence in text_of(client.get(f"/track/{test}/"))
    assert sentence not in text_of(client.get(f"/track/{live}/"))


def _words_of(text: Text) -> str:
    return "".join(run.text for line in text.setting.lines for run in line.runs)


@pytest.mark.django_db
def test_labels_say_so(sandbox: Actor, merchant: Actor, sold: Offer, merchant_api: APIClient) -> None:
    test, live = tell(program_of(sandbox), Story.DELIVERED), book(merchant_api)["tracking_number"]
    said = []
    for actor, number in ((sandbox, test), (merchant, live)):
        with scope(Scope.of(actor)):
            parcels = with_names(Parcel.objects.all())
            [label] = labels_of(actor=actor, parcels=list(parcels), now=timezone.now())
        assert label.number == number
        texts = [item for item in Layout(DEFAULT_SIZE, words()).label(label) if isinstance(item, Text)]
        said.append([text.is_inverse for text in texts if _words_of(text) == TEST])
    assert said == [[True], []]


@pytest.mark.django_db(transaction=True)
def test_messages_say_so_and_have_the_reference(merchant: Actor, sold: Offer, settings: Any) -> None:
    settings.WEBHOOKS_OVER_HTTP = settings.WEBHOOKS_TO_THIS_MACHINE = True
    sandbox = sandbox_of_merchant(merchant)
    with receiving() as receiver:
        endpoint(sandbox, receiver.url, topics=("parcel.booked", "commitment.late"))
        tell(program_of(sandbox), Story.LATE)
        finish()
        delivering.deliver(seconds=20, until_idle=True)
        delivering.deliver(seconds=20, until_idle=True)
        bodies = [json.loads(message.body) for message in receiver.received]
    assert [body["type"] for body in bodies][0] == "parcel.booked"
    assert {body["type"] for body in bodies} == {"parcel.booked", "commitment.late"}
    assert all(body["is_test"] and body["data"]["reference"] == "TEST-LATE" for body in bodies)


@pytest.mark.django_db
def test_parcel_of_live_is_no_test(merchant: Actor, merchant_api: APIClient, sold: Offer) -> None:
    number = book(merchant_api)["tracking_number"]
    assert merchant_api.get(f"/api/v1/parcels/{number}").json()["is_test"] is False
    assert parcel_of(merchant, number).merchant_id == merchant.organisation_id
