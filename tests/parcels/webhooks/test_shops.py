"""A webhook of one shop of several: of parcels whose reference begins with the shop's letters."""

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
from parcels.choices import ReplayKind
from parcels.models import Parcel
from parcels.webhooks.services import endpoints, replaying
from tests import factories
from tests.parcels.helpers.bookings import pointers
from tests.parcels.helpers.parcels import booked_parcels
from tests.parcels.webhooks.helpers import MOVED, data, delivered, deliveries, endpoint, fanned_out, happen
from tests.parcels.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db
URL = "https://hooks.example.com/in"


@pytest.fixture
def tea(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    """A parcel of the shop TEA-; beside it one of another, and one without a reference."""
    several = booked_parcels(merchant_organisation, courier_organisation, booked_at=timezone.now(), count=3)
    with scope(Scope.everything()):
        for parcel, reference in zip(several, ("TEA-1", "tea-2", ""), strict=True):
            Parcel.objects.filter(pk=parcel.pk).update(reference=reference)
    for parcel in several:
        happen(parcel, "picked_up", "in_transit")
    return several[0]


@pytest.fixture
def listening(merchant: Actor, receiver: Receiver) -> Any:
    return endpoint(merchant, receiver.url, reference_prefix="TEA-")[0]


def test_it_is_told_of_that_shop_only(
    listening: Any, merchant: Actor, receiver: Receiver, tea: Parcel
) -> None:
    every, _secret = endpoint(merchant, receiver.url)
    assert delivered() == 2
    assert {data(message.body)["tracking_number"] for message in receiver.received} == {tea.number}
    assert deliveries(every) == []
    with scope(Scope.of(merchant)):
        test = endpoints.send_test(actor=merchant, code=listening.code)
    delivered()
    assert receiver.ids[-1] == test.message_id


def test_a_replay_brings_nothing_of_others(listening: Any, merchant: Actor, tea: Parcel) -> None:
    with scope(Scope.of(merchant)):
        replay = replaying.start_replay(
            actor=merchant,
            code=listening.code,
            kind=ReplayKind.ALL,
            starts_at=timezone.now() - timedelta(hours=1),
        )
    replaying.prepare_replay(replay_id=replay.pk)
    assert {each.parcel_id for each in deliveries(listening)} == {tea.pk}
    assert fanned_out() == 0


@pytest.fixture
def api(merchant: Actor) -> APIClient:
    return factories.api_client(merchant, {Capability.MANAGE_WEBHOOKS, Capability.VIEW_PARCELS})


def test_events_of_no_parcel_are_refused_beside_it(api: APIClient) -> None:
    asked = {"url": URL, "topics": [MOVED, Topic.MANIFEST_MADE], "reference_prefix": " TEA-"}
    refused = api.post("/api/v1/webhooks", asked)
    assert refused.status_code == 422
    assert list(pointers(refused)) == [("/topics", "about_no_parcel")]
    assert "manifest.made" in refused.json()["errors"][0]["detail"]
    made = api.post("/api/v1/webhooks", asked | {"topics": [MOVED]}).json()
    assert made["reference_prefix"] == "TEA-"
    own = f"/api/v1/webhooks/{made['id']}"
    assert api.patch(own, {"topics": [Topic.MANIFEST_MADE]}).status_code == 422
    changed = api.patch(own, {"topics": [Topic.MANIFEST_MADE], "reference_prefix": ""}).json()
    assert (changed["reference_prefix"], changed["topics"]) == ("", ["manifest.made"])
    assert api.patch(own, {"reference_prefix": "TEA-"}).status_code == 422
    assert api.patch(own, {"reference_prefix": "x" * 65}).status_code == 422


def test_pages_take_and_show_it(merchant_client: Client) -> None:
    form = {"url": URL, "topics": [MOVED], "reference_prefix": "TEA-"}
    page = merchant_client.post("/webhooks/new/", form, follow=True)
    assert "TEA-" in page.content.decode()
    assert "TEA-" in merchant_client.get("/webhooks/").content.decode()
    refused = merchant_client.post("/webhooks/new/", form | {"topics": ["pickup.kept"]})
    assert refused.status_code == 422
    assert "about no parcel" in refused.content.decode()


def test_events_are_chosen_by_subject(merchant_client: Client) -> None:
    _menu, text = merchant_client.get("/webhooks/new/").content.decode().split('id="id_topics"')
    assert text.count("data-ticks-all") == 7
    assert text.count('name="topics"') == 32
    assert text.index("Pickups") < text.index("pickup.kept") < text.index("Manifests")
