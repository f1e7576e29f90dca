"""Test parcels run through their stories, step by step, whoever is killed meanwhile."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.tenancy import Actor, Scope, scope
from parcels.choices import ParcelStatus, Story
from parcels.models import ParcelStory, Scan
from parcels.sandboxes import services
from parcels.sandboxes.services import run_stories
from parcels.stories.rules import STEPS, magic_reference
from slas.models import Breach, Commitment, OnTimeRate, Tally
from slas.models import Offer as OfferModel
from tests.parcels.helpers.bookings import book
from tests.parcels.sandboxes.helpers import finish, parcel_of, program_of, sandbox_of_merchant, tell

pytestmark = pytest.mark.django_db

ENDS = {
    Story.DELIVERED: (ParcelStatus.DELIVERED, "met"),
    Story.LATE: (ParcelStatus.DELIVERED, "late"),
    Story.LOST: (ParcelStatus.LOST, "overdue"),
    Story.RETURNED: (ParcelStatus.RETURNED, "met"),
    Story.SECOND_ATTEMPT: (ParcelStatus.DELIVERED, "met"),
    Story.COLLECTED: (ParcelStatus.DELIVERED, "met"),
    Story.HELD: (ParcelStatus.DELIVERED, "met"),
}


@pytest.fixture
def sandbox(merchant: Actor) -> Actor:
    return sandbox_of_merchant(merchant)


@pytest.fixture
def api(sandbox: Actor) -> APIClient:
    return program_of(sandbox)


@pytest.mark.parametrize("story", Story)
def test_each_story_comes_to_its_end(api: APIClient, sandbox: Actor, sold: OfferModel, story: Story) -> None:
    number = tell(api, story)
    assert finish() == len(STEPS[story])
    answer = api.get(f"/api/v1/parcels/{number}").json()
    assert (answer["status"], answer["is_test"]) == (ENDS[story][0], True)
    with scope(Scope.of(sandbox)):
        delivery = Commitment.objects.get(kind="delivery")
    assert delivery.outcome == ENDS[story][1]


def test_a_late_story_breaks_its_promise(api: APIClient, sandbox: Actor, sold: OfferModel) -> None:
    number = tell(api, Story.LATE)
    parcel = parcel_of(sandbox, number)
    assert parcel.deliver_by - parcel.booked_at == timedelta(seconds=20)
    finish()
    answer = api.get(f"/api/v1/parcels/{number}").json()["promise"]
    assert (answer["is_late"], answer["late_by_seconds"]) == (True, 15)
    with scope(Scope.of(sandbox)):
        assert Breach.objects.filter(parcel_id=parcel.pk, withdrawn_at=None).count() == 1


def test_steps_happen_at_their_seconds_and_once(api: APIClient, sandbox: Actor, sold: OfferModel) -> None:
    parcel = parcel_of(sandbox, tell(api, Story.DELIVERED))
    told = []
    for seconds in (2, 4, 4, 10, 16, 60):
        told.append(run_stories(now=parcel.booked_at + timedelta(seconds=seconds)))
    assert told == [0, 1, 0, 2, 2, 0]
    with scope(Scope.of(sandbox)):
        times = Scan.objects.filter(parcel_id=parcel.pk).order_by("occurred_at").values_list("occurred_at")
        assert [(at - parcel.booked_at).seconds for (at,) in times] == [3, 6, 9, 12, 15]


def test_a_worker_that_is_killed_leaves_the_step_to_the_next(
    api: APIClient, sandbox: Actor, sold: OfferModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = parcel_of(sandbox, tell(api, Story.DELIVERED))

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # After the scans were written, before the story went on.
        patched.setattr(services, "due_of", killed)
        with pytest.raises(KeyboardInterrupt):
            finish()
    with scope(Scope.of(sandbox)):
        assert not Scan.objects.filter(parcel_id=parcel.pk).exists()
    assert finish() == 5


def test_a_cancelled_parcel_goes_no_further(api: APIClient, sandbox: Actor, sold: OfferModel) -> None:
    number = tell(api, Story.DELIVERED)
    assert api.post(f"/api/v1/parcels/{number}/cancel").status_code == 200
    assert finish() == 0
    with scope(Scope.of(sandbox)):
        assert ParcelStory.objects.get().due_at is None


@pytest.mark.parametrize("reference", ["TEST", "TEST-LATER", "PO-1", "", "MY-TEST-LATE"])
def test_other_references_are_parcels_that_wait(api: APIClient, sold: OfferModel, reference: str) -> None:
    book(api, reference=reference)
    assert finish() == 0


@pytest.mark.parametrize("reference", ["TEST-LATE/4711", "test-late"])
def test_a_reference_may_have_more_behind_it(api: APIClient, sold: OfferModel, reference: str) -> None:
    assert book(api, reference=reference)["reference"] == reference
    assert finish() == len(STEPS[Story.LATE])


def test_a_magic_reference_of_a_live_key_is_a_reference(
    merchant: Actor, merchant_api: APIClient, sold: OfferModel, everything: None
) -> None:
    number = tell(merchant_api, Story.LATE)
    assert finish() == 0
    parcel = parcel_of(merchant, number)
    assert parcel.deliver_by - timezone.now() > timedelta(hours=1)
    assert not ParcelStory.objects.exists()
    assert Tally.objects.filter(merchant_id=merchant.organisation_id).exists()


def test_old_test_parcels_are_forgotten_with_all_that_is_theirs(
    api: APIClient, sandbox: Actor, merchant_api: APIClient, sold: OfferModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = book(merchant_api)["tracking_number"]
    for story in (Story.LATE, Story.RETURNED, Story.DELIVERED):
        tell(api, story)
    finish()
    monkeypatch.setattr(services, "SLICE", 2)
    assert services.forget_test_parcels(now=timezone.now()) == 0
    assert services.forget_test_parcels(now=timezone.now() + services.KEPT + timedelta(days=1)) == 3
    with scope(Scope.of(sandbox)):
        for model in (Scan, Breach, Commitment, ParcelStory):
            assert not model.objects.exists()
    assert merchant_api.get(f"/api/v1/parcels/{live}").status_code == 200


def test_magic_references_are_in_the_page() -> None:
    page = (settings.BASE_DIR / "docs" / "test-mode.md").read_text()
    assert [magic_reference(story) for story in Story if f"`{magic_reference(story)}`" not in page] == []


def test_rates_of_a_sandbox_stay_empty(api: APIClient, sandbox: Actor, sold: OfferModel) -> None:
    tell(api, Story.LATE)
    finish()
    with scope(Scope.of(sandbox)):
        assert not OnTimeRate.objects.filter(organisation_id=sandbox.organisation_id).exists()
