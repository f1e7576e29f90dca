"""Endpoints by the API and on pages: what is asked of them, what is refused, and what is shown once."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.choices import Capability
from alliance.events import Topic
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import ReplayState
from parcels.models import Parcel, WebhookDelivery, WebhookEndpoint, WebhookReplay, WebhookSecret
from parcels.webhooks.payloads import body_of
from parcels.webhooks.rules import MOST_ENDPOINTS, MOST_SECRETS
from parcels.webhooks.signing import SecretUnreadable, opened
from parcels.webhooks.topics import TOPICS
from tests import factories
from tests.parcels.helpers.bookings import pointers
from tests.parcels.webhooks.helpers import (
    MOVED,
    data,
    delivered,
    deliveries,
    endpoint,
    fanned_out,
    happen,
)
from tests.parcels.webhooks.receiver import Receiver, status

pytestmark = pytest.mark.django_db
HOOKS = "/api/v1/webhooks"
URL = "https://hooks.example.com/in"


@pytest.fixture
def api(merchant: Actor) -> APIClient:
    may = {Capability.MANAGE_WEBHOOKS, Capability.VIEW_PARCELS, Capability.VIEW_RATES}
    return factories.api_client(merchant, may)


def test_added_once_for_a_key_with_a_secret_that_is_not_read_again(api: APIClient) -> None:
    body = {"url": URL, "topics": [MOVED, "commitment.late"], "description": " Shop "}
    first = api.post(HOOKS, body, headers={"Idempotency-Key": "1"})
    again = api.post(HOOKS, body, headers={"Idempotency-Key": "1"})
    assert first.status_code == again.status_code == 201
    made = first.json()
    assert again.json() == made
    assert made["id"].startswith("whk_")
    assert made["secret"].startswith("whsec_")
    assert (made["description"], made["state"], made["last_day"]["attempts"]) == ("Shop", "active", 0)
    read = api.get(first["Location"]).json()
    assert read == {name: value for name, value in made.items() if name != "secret"}
    assert [each["id"] for each in api.get(HOOKS).json()["results"]] == [made["id"]]
    with scope(Scope.everything()):
        sealed = WebhookSecret.objects.get().sealed
    assert made["secret"] not in sealed
    assert opened(sealed) == made["secret"]


def test_a_secret_of_a_former_secret_key_is_read_by_it_alone(api: APIClient, settings: Any) -> None:
    secret = api.post(HOOKS, {"url": URL, "topics": [MOVED]}).json()["secret"]
    with scope(Scope.everything()):
        sealed = WebhookSecret.objects.get().sealed
    former, settings.SECRET_KEY = settings.SECRET_KEY, "x" * 50
    with pytest.raises(SecretUnreadable):
        opened(sealed)
    settings.SECRET_KEY_FALLBACKS = [former]
    assert opened(sealed) == secret


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, {"/url", "/topics"}),
        ({"url": "http://x", "topics": [MOVED], "colour": 1}, {"/colour"}),
        ({"url": "https://10.0.0.1/", "topics": []}, {"/url", "/topics"}),
        ({"url": URL, "topics": ["parcel.exploded"]}, {"/topics"}),
        ({"url": URL, "topics": ["courier.graded"]}, {"/topics"}),
        ({"url": URL, "topics": ["credit.written"]}, {"/topics"}),
        ({"url": URL, "topics": [MOVED], "description": "x" * 200}, {"/description"}),
    ],
)
def test_what_is_wrong_is_named(api: APIClient, body: dict[str, Any], where: set[str]) -> None:
    """A merchant has no grade, and this key may not read money."""
    answer = api.post(HOOKS, body)
    assert answer.status_code == 422
    assert {pointer for pointer, _code in pointers(answer)} == where


def test_a_webhook_is_changed_paused_resumed_rotated_and_deleted(api: APIClient) -> None:
    url = f"{HOOKS}/{api.post(HOOKS, {'url': URL, 'topics': [MOVED]}).json()['id']}"
    changed = api.patch(url, {"url": f"{URL}/2", "topics": ["commitment.late"]}).json()
    assert (changed["url"], changed["topics"]) == (f"{URL}/2", ["commitment.late"])
    assert api.patch(url, {"topics": []}).status_code == 422
    assert [api.post(f"{url}/pause").json()["state"] for _time in range(2)] == ["paused", "paused"]
    assert api.post(f"{url}/test").status_code == 409
    assert api.post(f"{url}/resume").json()["state"] == "active"
    rotated = api.post(f"{url}/rotate-secret").json()
    assert [each["ends_at"] is None for each in rotated["secrets"]] == [True, False]
    for _time in range(MOST_SECRETS - 2):
        api.post(f"{url}/rotate-secret")
    assert api.post(f"{url}/rotate-secret").json()["type"].endswith("too_many_secrets")
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404
    with scope(Scope.everything()):
        assert not WebhookSecret.objects.exists()


def test_an_organisation_has_only_so_many(api: APIClient) -> None:
    body = {"url": URL, "topics": [MOVED]}
    answers = [api.post(HOOKS, body).status_code for _number in range(MOST_ENDPOINTS + 1)]
    assert answers == [201] * MOST_ENDPOINTS + [409]


def test_deliveries_are_listed_read_and_sent_again(
    api: APIClient, merchant: Actor, parcel: Parcel, receiver: Receiver, rival_merchant: Organisation
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(500, b"\x00no\xff")
    happen(parcel, "picked_up", "in_transit")
    delivered()
    url = f"{HOOKS}/{hook.code}/deliveries"
    newest, oldest = api.get(url).json()["results"]
    assert (newest["next_attempt_at"], oldest["attempts"]) == (None, 1)
    assert oldest["tracking_number"] == parcel.number
    pages = [api.get(url, {"page_size": 1}).json()]
    pages.append(api.get(pages[0]["next"]).json())
    assert [page["results"] for page in pages] == [[newest], [oldest]]
    for filters, count in (
        ({"state": "pending"}, 2),
        ({"state": "failed"}, 0),
        ({"topic": MOVED, "tracking_number": parcel.number}, 2),
    ):
        assert len(api.get(url, filters).json()["results"]) == count
    assert api.get(url, {"tracking_number": "CA1"}).status_code == 422
    read = api.get(f"{url}/{oldest['id']}").json()
    assert read["body"]["data"]["status"] == "picked_up"
    assert (read["log"][0]["status"], read["log"][0]["answer"]) == (500, "\ufffdno\ufffd")
    again = api.post(f"{url}/{oldest['id']}/replay")
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    assert api.get(f"{url}/{'msg_' + '0' * 26}").status_code == 404


def test_a_key_neither_reads_nor_leads_away_what_it_may_not_read(
    api: APIClient, merchant: Actor, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url, topics=(MOVED, "credit.written"))
    happen(None, topic=Topic.CREDIT_WRITTEN, merchant_id=merchant.organisation_id, amount="5.00")
    fanned_out()
    url = f"{HOOKS}/{hook.code}"
    [message] = deliveries(hook)
    assert api.get(f"{url}/deliveries").json()["results"] == []
    assert api.get(f"{url}/deliveries/{message.message_id}").status_code == 404
    assert api.post(f"{url}/deliveries/{message.message_id}/replay").status_code == 404
    assert api.patch(url, {"url": f"{URL}/elsewhere"}).status_code == 403
    assert api.patch(url, {"description": "Shop"}).status_code == 200
    full = factories.api_client(merchant, {Capability.MANAGE_WEBHOOKS, Capability.VIEW_FINANCE})
    [shown] = full.get(f"{url}/deliveries").json()["results"]
    assert shown["id"] == message.message_id


def test_a_replay_is_begun_and_watched(api: APIClient, merchant: Actor) -> None:
    hook, _secret = endpoint(merchant)
    url = f"{HOOKS}/{hook.code}/replays"
    assert api.post(url, {"starts_at": "2026-11-01T00:00:00"}).status_code == 422
    early = api.post(url, {"starts_at": "2020-11-01T00:00:00+08:00"})
    assert [error["pointer"] for error in early.json()["errors"]] == ["/starts_at"]
    body = {"starts_at": (timezone.now() - timedelta(hours=1)).isoformat()}
    answer = api.post(url, body, headers={"Idempotency-Key": "1"})
    assert (answer.status_code, answer.json()["state"], answer.json()["kind"]) == (201, "queued", "missing")
    assert api.post(url, body).status_code == 409
    assert [each["id"] for each in api.get(url).json()["results"]] == [answer.json()["id"]]


def test_topics_are_those_that_the_key_may_ask_for(api: APIClient, courier: Actor) -> None:
    names = {each["topic"] for each in api.get("/api/v1/webhook-topics").json()["results"]}
    assert {MOVED, "return.requested", "commitment.late"} <= names
    assert not names & {"courier.graded", "credit.written"}
    theirs = factories.api_client(courier, {Capability.MANAGE_WEBHOOKS, Capability.VIEW_RATES})
    names = {each["topic"] for each in theirs.get("/api/v1/webhook-topics").json()["results"]}
    assert "courier.graded" in names
    assert not names & {MOVED, "return.requested"}


@pytest.mark.parametrize("topic", TOPICS)
def test_each_event_has_the_words_of_its_example(parcel: Parcel, topic: str) -> None:
    example = TOPICS[topic].example
    of_parcel = "tracking_number" in example
    delivery = WebhookDelivery(
        id=1,
        parcel_id=parcel.pk if of_parcel else 0,
        topic=topic,
        at=parcel.booked_at,
        sequence=1,
        payload={},
    )
    built = data(body_of(delivery, reference="SO-1"))
    assert list(built) == list(example)
    for name, value in example.items():
        if isinstance(value, dict) and built[name] is not None:
            assert list(built[name]) == list(value)


# --- pages ---


def test_the_page_after_adding_shows_the_secret_once(merchant_client: Client) -> None:
    form = {"url": URL, "topics": [MOVED], "description": "商城"}
    page = merchant_client.post("/webhooks/new/", form, follow=True)
    assert page.status_code == 200
    text = page.content.decode()
    assert "whsec_" in text
    assert "商城" in text
    again = merchant_client.get(page.request["PATH_INFO"]).content.decode()
    assert 'value="whsec_' not in again
    assert "商城" in merchant_client.get("/webhooks/").content.decode()


def test_a_wrong_address_is_said_beside_its_field(merchant_client: Client) -> None:
    for more in ({"topics": [MOVED]}, {}):
        page = merchant_client.post("/webhooks/new/", {"url": "https://10.0.0.1/", **more})
        assert page.status_code == 422
        assert "not on the public Internet" in page.content.decode()


def test_pages_of_a_webhook_show_what_was_sent_and_what_can_be_done(
    merchant: Actor, merchant_client: Client, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(500, b"<b>broken</b>")
    happen(parcel, "picked_up", "in_transit")
    delivered()
    own = f"/webhooks/{hook.code}/"
    text = merchant_client.get(own).content.decode()
    assert parcel.number in text
    assert "behind an earlier one of its parcel" in text
    assert merchant_client.get(own, {"state": "delivered"}).content.decode().count(parcel.number) == 0
    assert merchant_client.get(own, {"number": "CA1"}).status_code == 422
    [message] = receiver.ids
    text = merchant_client.get(f"{own}messages/{message}/").content.decode()
    assert "&lt;b&gt;broken&lt;/b&gt;" in text
    receiver.answer = status(200)
    assert merchant_client.post(f"{own}messages/{message}/replay/").status_code == 302
    assert delivered() == 2
    tested = merchant_client.post(f"{own}test/", follow=True)
    assert "Not tried yet" in tested.content.decode()
    merchant_client.post(f"{own}pause/")
    refused = merchant_client.post(f"{own}test/", follow=True)
    assert "Resume the webhook first" in refused.content.decode()
    merchant_client.post(f"{own}resume/")
    assert "whsec_" in merchant_client.post(f"{own}rotate/", follow=True).content.decode()
    merchant_client.post(f"{own}end-secrets/")
    with scope(Scope.everything()):
        assert WebhookSecret.objects.filter(endpoint=hook).count() == 1
    assert (
        merchant_client.post(f"{own}replay/", {"kind": "all", "start": "2020-01-01T00:00"}).status_code == 422
    )
    changed = {"url": receiver.url, "topics": ["commitment.late"], "description": ""}
    assert merchant_client.post(f"{own}edit/", changed).status_code == 302
    merchant_client.post(f"{own}delete/")
    with scope(Scope.everything()):
        assert not WebhookEndpoint.objects.filter(pk=hook.pk).exists()


def test_a_replay_by_a_page_is_watched_until_it_is_done(
    merchant: Actor, merchant_client: Client, parcel: Parcel
) -> None:
    hook, _secret = endpoint(merchant)
    happen(parcel, "picked_up")
    fanned_out()
    start = timezone.localtime(timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    page = merchant_client.post(
        f"/webhooks/{hook.code}/replay/", {"kind": "all", "start": start}, follow=True
    )
    assert 'hx-trigger="every 2s"' in page.content.decode()
    with scope(Scope.everything()):
        WebhookReplay.objects.update(state=ReplayState.DONE)
    assert 'hx-trigger="every 2s"' not in merchant_client.get(f"/webhooks/{hook.code}/").content.decode()
