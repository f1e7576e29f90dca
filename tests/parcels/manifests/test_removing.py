"""Parcels that are taken off an open manifest, and a courier that picks it up meanwhile."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.errors import Conflict, NotFound, NotPermitted
from alliance.models import AuditEntry, Event
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.manifests.queries import Pickup, all_lines, counts_of, manifest_for
from parcels.manifests.services.making import Made, cancel_manifest
from parcels.manifests.services.picking_up import PickedUp, Told, pick_up
from parcels.manifests.services.removing import Removed, remove_parcels
from parcels.models import Manifest, Parcel, Scan
from tests.parcels.helpers.parcel_views import scan, text_of
from tests.parcels.manifests.conftest import made_of_day, parcel_of
from tests.slas.helpers.offers import in_threads

pytestmark = pytest.mark.django_db


def remove(merchant: Actor, made: Made, *numbers: str) -> Removed:
    with scope(Scope.of(merchant)):
        return remove_parcels(actor=merchant, number=made.manifest.number, numbers=numbers, at=timezone.now())


def picked(courier: Actor, made: Made, told: Told | None = None) -> PickedUp:
    with scope(Scope.of(courier)):
        return pick_up(actor=courier, number=made.manifest.number, told=told or Told(), now=timezone.now())


def codes(results: Any) -> list[str | None]:
    return [each and each.reason for each in results]


def outcomes(actor: Actor, made: Made) -> dict[int, str]:
    with scope(Scope.of(actor)):
        manifest = manifest_for(actor, made.manifest.number)
        return {line.parcel.pk: line.outcome for line in all_lines(actor, manifest)}


def test_what_fits_is_taken_off_and_the_rest_says_why(
    merchant: Actor, courier: Actor, waiting: list[Parcel], pickup: Pickup, made: Made
) -> None:
    off, gone, stays = waiting
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=gone.pk, at=timezone.now())
    removed = remove(merchant, made, off.number, gone.number, "CA000", off.number)
    assert codes(removed.results) == [None, "parcel_cancelled", "unknown_tracking_number", "duplicate"]
    assert (removed.manifest.listed, removed.manifest.removed) == (2, [off.pk])
    assert outcomes(courier, made) == {gone.pk: "cancelled", stays.pk: "to_pick_up", off.pk: "removed"}
    # It is free for the next one, and taking it off again changes nothing.
    assert codes(remove(merchant, made, off.number).results) == [None]
    assert parcel_of(off.pk).manifest_id is None
    assert made_of_day(merchant, pickup).manifest.listed == 1
    with scope(Scope.everything()):
        event = Event.objects.get(topic="manifest.changed")
        assert AuditEntry.objects.filter(verb="manifest.changed", object_id=made.manifest.pk).count() == 1
    assert (event.payload["removed"], event.courier_id) == ([off.number], made.manifest.courier_id)


def test_without_a_parcel_left_the_manifest_is_cancelled_instead(
    merchant: Actor, waiting: list[Parcel], made: Made
) -> None:
    with pytest.raises(Conflict) as refused:
        remove(merchant, made, *(parcel.number for parcel in waiting))
    assert refused.value.reason == "nothing_left"
    assert parcel_of(waiting[0].pk).manifest_id == made.manifest.pk


def test_manifests_that_are_no_longer_open_keep_their_parcels(
    merchant: Actor, courier: Actor, waiting: list[Parcel], pickup: Pickup, made: Made
) -> None:
    with pytest.raises(Conflict) as refused:
        remove(merchant, made, "CA000")
    assert [(each.pointer, each.code) for each in refused.value.errors] == [
        ("/tracking_numbers/0", "unknown_tracking_number")
    ]
    picked(courier, made)
    with pytest.raises(Conflict) as refused:
        remove(merchant, made, waiting[0].number)
    assert refused.value.reason == "already_picked_up"
    with pytest.raises(NotPermitted):
        remove(courier, made, waiting[0].number)


def test_a_courier_with_an_old_paper_says_that_it_is_missing_or_has_it(
    merchant: Actor, courier: Actor, waiting: list[Parcel], made: Made
) -> None:
    remove(merchant, made, waiting[0].number, waiting[1].number)
    told = Told(missing=[waiting[0].number], extra=[waiting[1].number])
    result = picked(courier, made, told)
    assert (codes(result.missing), codes(result.extra)) == (["taken_off"], [None])
    assert outcomes(merchant, made) == {
        waiting[0].pk: "removed", waiting[1].pk: "extra", waiting[2].pk: "picked_up",
    }  # fmt: skip
    assert parcel_of(waiting[0].pk).status == "booked"


@pytest.mark.django_db(transaction=True)
def test_a_parcel_removed_while_the_courier_scans_has_exactly_one_outcome(
    merchant: Actor, courier: Actor, waiting: list[Parcel], made: Made
) -> None:
    off = waiting[:2]

    def work(number: int) -> object:
        if number % 2:
            return picked(courier, made)
        return remove(merchant, made, *(parcel.number for parcel in reversed(off)))

    results = in_threads(work, 6)
    assert all(isinstance(each, PickedUp | Removed | Conflict) for each in results)
    with scope(Scope.everything()):
        row = Manifest.objects.get()
        scanned = {*Scan.objects.values_list("parcel_id", flat=True)}
    assert row.state == "handed_over"
    assert {*row.removed} in ({*()}, {each.pk for each in off})
    assert scanned == {each.pk for each in waiting} - {*row.removed}
    assert (row.picked_up, row.listed) == (len(scanned), len(scanned))
    for parcel in off:
        found = parcel_of(parcel.pk)
        removed = parcel.pk in row.removed
        assert (found.status, found.manifest_id) == (("booked", None) if removed else ("picked_up", row.pk))


def test_a_parcel_that_was_scanned_by_itself_stays(
    merchant: Actor, waiting: list[Parcel], made: Made
) -> None:
    scan(waiting[0], "picked_up", 1)
    removed = remove(merchant, made, waiting[0].number, waiting[1].number)
    assert codes(removed.results) == ["already_moving", None]


def test_parcels_are_ticked_and_taken_off_on_the_page(
    merchant_client: Client, courier_client: Client, waiting: list[Parcel], made: Made
) -> None:
    url = f"/manifests/{made.manifest.number}/"
    assert merchant_client.get(url).content.decode().count('name="numbers"') == 3
    assert 'name="numbers"' not in courier_client.get(url).content.decode()
    none = merchant_client.post(f"{url}remove/", follow=True)
    assert "Tick the parcels" in text_of(none)
    done = text_of(merchant_client.post(f"{url}remove/", {"numbers": [waiting[0].number]}, follow=True))
    assert "1 parcel was taken off" in done
    assert "Taken off by the merchant" in text_of(courier_client.get(url))
    every = [parcel.number for parcel in waiting[1:]]
    refused = text_of(merchant_client.post(f"{url}remove/", {"numbers": every}, follow=True))
    assert "cancel the manifest instead" in refused
    assert courier_client.post(f"{url}remove/", {"numbers": every}).status_code == 403


def test_programs_take_parcels_off(
    merchant_api: APIClient, merchant: Actor, waiting: list[Parcel], made: Made
) -> None:
    url = f"/api/v1/manifests/{made.manifest.number}"
    body = {"tracking_numbers": [waiting[0].number, "nonsense"]}
    answer = merchant_api.post(f"{url}/remove", body, format="json").json()
    assert [each["status"] for each in answer["results"]] == ["accepted", "rejected"]
    assert (answer["manifest"]["counts"]["listed"], answer["manifest"]["counts"]["removed"]) == (2, 1)
    lines = merchant_api.get(f"{url}/parcels").json()
    assert [each["tracking_number"] for each in lines["removed_parcels"]] == [waiting[0].number]
    assert merchant_api.post(f"{url}/remove", {}, format="json").status_code == 422
    assert merchant_api.post(f"{url}/remove", {"numbers": []}, format="json").status_code == 422
    with scope(Scope.of(merchant)):
        cancel_manifest(actor=merchant, number=made.manifest.number, at=timezone.now())
    late = merchant_api.post(f"{url}/remove", body, format="json")
    assert (late.status_code, late.json()["type"].rsplit(":", 1)[1]) == (409, "manifest_cancelled")


def test_a_cancelled_parcel_is_off_its_open_manifest(
    merchant: Actor, courier: Actor, waiting: list[Parcel], made: Made
) -> None:
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=waiting[0].pk, at=timezone.now())
        counts = counts_of([made.manifest])[made.manifest.pk]
    assert (counts.to_pick_up, counts.cancelled) == (2, 1)
    result = picked(courier, made)
    assert (result.manifest.picked_up, result.manifest.cancelled) == (2, 1)
    assert parcel_of(waiting[0].pk).status == "cancelled"


def test_another_merchants_manifest_is_not_found(waiting: list[Parcel], made: Made) -> None:
    from tests import factories  # noqa: PLC0415 -- the rival of this test only
    from tests.access.trade import owner  # noqa: PLC0415

    rival = owner(factories.merchant_organisation("Bamboo Books"))
    with pytest.raises(NotFound):
        remove(rival, made, waiting[0].number)
