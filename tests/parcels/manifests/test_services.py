"""Making manifests and picking them up: what is on them, what was not, and what a repeat does."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import new_parcel_id, tracking_number
from alliance.models import Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.choices import ManifestState
from parcels.manifests.queries import Pickup, counts_of, lines_of, manifest_for, missing_lines
from parcels.manifests.services.making import (
    Made,
    Wanted,
    cancel_manifest,
    forget_remarks,
    make_manifest_of_numbers,
    pickups_of,
    remark_manifest,
)
from parcels.manifests.services.picking_up import PickedUp, Told, go_on, pick_up
from parcels.models import Manifest, Parcel, PickupAddress, Scan
from tests.parcels.helpers.parcel_views import scan
from tests.parcels.manifests.conftest import (
    DAY,
    another_address,
    made_of_day,
    other_day,
    parcel_of,
    waiting_parcels,
)


def picked(courier: Actor, manifest: Manifest, told: Told | None = None, **extra: Any) -> PickedUp:
    with scope(Scope.of(courier)):
        return pick_up(
            actor=courier, number=manifest.number, told=told or Told(), now=timezone.now(), **extra
        )


def of_numbers(merchant: Actor, *numbers: str, wanted: Wanted | None = None) -> Made:
    with scope(Scope.of(merchant)):
        return make_manifest_of_numbers(
            actor=merchant, numbers=numbers, wanted=wanted or Wanted(), at=timezone.now()
        )


def codes(results: Any) -> list[str | None]:
    return [each and each.reason for each in results]


def scans_of(parcels: list[Parcel]) -> list[tuple[int, str, str]]:
    with scope(Scope.everything()):
        rows = Scan.objects.filter(parcel_id__in=[each.pk for each in parcels]).order_by("parcel_id")
        return list(rows.values_list("parcel_id", "code", "event_id"))


def test_manifest_of_a_day_has_what_waits_and_is_on_no_other(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    address: PickupAddress,
    waiting: list[Parcel],
    pickup: Pickup,
) -> None:
    parties = (merchant_organisation, courier_organisation)
    waiting_parcels(*parties, another_address(address))
    waiting_parcels(*parties, address, pickup_date=other_day())
    scan(waiting[0], "picked_up", 1)
    first = made_of_day(merchant, pickup, most=1)
    second = made_of_day(merchant, pickup)
    on = {parcel.pk: parcel_of(parcel.pk).manifest_id for parcel in waiting}
    assert [*on.values()] == [None, first.manifest.pk, second.manifest.pk]
    assert (first.has_more, second.has_more) == (True, False)
    assert [first.manifest.ordinal, second.manifest.ordinal] == [1, 2]
    with pytest.raises(Conflict, match="No parcel"):
        made_of_day(merchant, pickup)


def test_parcels_late_or_without_an_address_go_with_those_of_today(
    merchant: Actor, merchant_organisation: Organisation, courier_organisation: Organisation,
    address: PickupAddress, waiting: list[Parcel], pickup: Pickup,
) -> None:  # fmt: skip
    parties = (merchant_organisation, courier_organisation)
    more = [
        *waiting_parcels(*parties, None),
        *waiting_parcels(*parties, address, pickup_date=pickup.day - timedelta(days=1)),
    ]
    made = made_of_day(merchant, pickup)
    assert {parcel_of(parcel.pk).manifest_id for parcel in [*waiting, *more]} == {made.manifest.pk}


def test_numbers_that_do_not_fit_are_refused_one_by_one(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    address: PickupAddress,
    waiting: list[Parcel],
) -> None:
    parties = (merchant_organisation, courier_organisation)
    elsewhere, later = (
        waiting_parcels(*parties, another_address(address)),
        waiting_parcels(*parties, address, pickup_date=other_day()),
    )
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=waiting[2].pk, at=timezone.now())
    numbers = [
        waiting[0].number, "CA000", elsewhere[0].number, later[0].number, waiting[2].number,
        waiting[0].number, waiting[1].number,
    ]  # fmt: skip
    made = of_numbers(merchant, *numbers)
    assert codes(made.results) == [
        None, "unknown_tracking_number", "other_address", "other_day", "parcel_cancelled", "duplicate", None,
    ]  # fmt: skip
    assert made.manifest.listed == 2
    with pytest.raises(Conflict) as refused:
        of_numbers(merchant, waiting[0].number)
    assert [(each.pointer, each.code) for each in refused.value.errors] == [
        ("/tracking_numbers/0", "on_another_manifest")
    ]
    with scope(Scope.of(merchant)):
        numbers = [elsewhere[0].number, later[0].number, "CA000"]
        groups = pickups_of(actor=merchant, numbers=numbers, at=timezone.now())
    assert groups == [[elsewhere[0].number, "CA000"], [later[0].number]]


def test_a_selection_of_late_parcels_and_todays_is_one_manifest_of_today(
    merchant: Actor, merchant_organisation: Organisation, courier_organisation: Organisation,
    address: PickupAddress, waiting: list[Parcel],
) -> None:  # fmt: skip
    [late] = waiting_parcels(
        merchant_organisation, courier_organisation, address, pickup_date=DAY() - timedelta(days=1)
    )
    numbers = [late.number, waiting[0].number]
    with scope(Scope.of(merchant)):
        assert pickups_of(actor=merchant, numbers=numbers, at=timezone.now()) == [numbers]
    made = of_numbers(merchant, *numbers)
    assert (codes(made.results), made.manifest.day) == ([None, None], DAY())


def test_address_and_day_that_were_named_hold_when_the_first_parcel_has_others(
    merchant: Actor, merchant_organisation: Organisation, courier_organisation: Organisation,
    address: PickupAddress, waiting: list[Parcel],
) -> None:  # fmt: skip
    [first] = waiting_parcels(
        merchant_organisation, courier_organisation, None, pickup_date=DAY() - timedelta(days=1)
    )
    wanted = Wanted(origin_id=first.origin_id, address_id=address.pk, day=DAY())
    made = of_numbers(merchant, first.number, waiting[0].number, wanted=wanted)
    assert codes(made.results) == [None, None]
    assert (made.manifest.pickup_address_id, made.manifest.day) == (address.pk, DAY())


def test_nobody_lists_another_merchants_parcels(
    merchant: Actor, courier: Actor, courier_organisation: Organisation, made: Made
) -> None:
    from tests import factories  # noqa: PLC0415 -- the rival of this test only

    rival = factories.merchant_organisation("Bamboo Books")
    [theirs] = waiting_parcels(rival, courier_organisation, None)
    with pytest.raises(Conflict) as refused:
        of_numbers(merchant, theirs.number)
    assert [each.code for each in refused.value.errors] == ["unknown_tracking_number"]
    with pytest.raises(NotPermitted):
        of_numbers(courier, theirs.number)


def test_pickup_scans_each_parcel_once_however_often_it_is_told(
    courier: Actor, waiting: list[Parcel], made: Made
) -> None:
    at = timezone.now() - timedelta(minutes=10)
    first = picked(courier, made.manifest, Told(at))
    scans = scans_of(waiting)
    event = f"manifest:{made.manifest.number}"
    assert scans == [(parcel.pk, "picked_up", event) for parcel in waiting]
    assert (first.manifest.state, first.manifest.picked_up) == (ManifestState.HANDED_OVER, 3)
    again = picked(courier, made.manifest)
    assert again.is_repeat
    assert again.manifest.picked_up_at == at
    assert scans_of(waiting) == scans
    with scope(Scope.everything()):
        topics = Event.objects.filter(topic__startswith="manifest.").order_by("pk")
        assert [each.topic for each in topics] == ["manifest.made", "manifest.handed_over"]


def test_missing_parcels_stay_booked_and_go_on_the_next_manifest(
    courier: Actor, merchant: Actor, waiting: list[Parcel], made: Made, pickup: Pickup
) -> None:
    for unknown in ("CA000", tracking_number(new_parcel_id(timezone.now()))):
        with pytest.raises(InvalidInput) as refused:
            picked(courier, made.manifest, Told(missing=[waiting[1].number, unknown]))
        assert [each.pointer for each in refused.value.errors] == ["/missing_numbers/1"]
        assert {parcel_of(each.pk).status for each in waiting} == {"booked"}
    told = Told(missing=[waiting[1].number])
    result = picked(courier, made.manifest, told)
    assert codes(result.missing) == [None]
    assert parcel_of(waiting[1].pk).status == "booked"
    assert result.manifest.picked_up == 2
    with scope(Scope.of(merchant)):
        seen = manifest_for(merchant, made.manifest.number)
        assert [line.parcel.pk for line in missing_lines(merchant, seen)] == [waiting[1].pk]
    assert codes(picked(courier, made.manifest, told).missing) == [None]
    late = picked(courier, made.manifest, Told(missing=[waiting[0].number]))
    assert codes(late.missing) == ["already_picked_up"]
    assert made_of_day(merchant, pickup).manifest.listed == 1


def test_parcels_beside_the_list_are_picked_up_with_it(
    courier: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    waiting: list[Parcel],
    made: Made,
) -> None:
    from tests import factories  # noqa: PLC0415 -- the rival of this test only

    [beside] = waiting_parcels(merchant_organisation, courier_organisation, None)
    [theirs] = waiting_parcels(factories.merchant_organisation("Bamboo Books"), courier_organisation, None)
    told = Told(
        missing=[waiting[2].number],
        extra=[beside.number, theirs.number, waiting[0].number, waiting[2].number],
    )
    result = picked(courier, made.manifest, told)
    assert codes(result.extra) == [None, "other_merchant", "listed", "also_missing"]
    assert parcel_of(beside.pk).status == "picked_up"
    with scope(Scope.of(courier)):
        outcomes = {line.parcel.pk: line.outcome for line in lines_of(courier, result.manifest)}
    assert outcomes == {waiting[0].pk: "picked_up", waiting[1].pk: "picked_up", beside.pk: "extra"}


def test_cancelled_parcels_leave_the_counts_and_are_not_picked_up(
    courier: Actor, merchant: Actor, waiting: list[Parcel], made: Made
) -> None:
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=waiting[0].pk, at=timezone.now())
        counts = counts_of([made.manifest])[made.manifest.pk]
    assert (counts.to_pick_up, counts.cancelled) == (2, 1)
    result = picked(courier, made.manifest)
    assert (result.manifest.picked_up, result.manifest.cancelled) == (2, 1)
    assert parcel_of(waiting[0].pk).status == "cancelled"
    assert len(scans_of(waiting)) == 2


def test_large_manifest_goes_on_in_slices_after_a_crash(
    courier: Actor, waiting: list[Parcel], made: Made, monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    result = picked(courier, made.manifest, parcels_a_slice=1)
    assert (result.manifest.state, result.manifest.done) == (ManifestState.QUEUED, 1)
    broken = "parcels.manifests.services.picking_up.record_scans"
    with monkeypatch.context() as patched:
        patched.setattr(broken, lambda **_given: 1 / 0)
        assert not go_on(manifest_id=made.manifest.pk, parcels_a_slice=1)
    assert len(scans_of(waiting)) == 1
    assert go_on(manifest_id=made.manifest.pk, parcels_a_slice=1)
    with scope(Scope.everything()):
        manifest = Manifest.objects.get(pk=made.manifest.pk)
    assert (manifest.state, manifest.done, manifest.picked_up) == (ManifestState.HANDED_OVER, 3, 3)
    assert len(scans_of(waiting)) == 3


def test_a_moment_before_the_manifest_or_in_the_future_is_refused(courier: Actor, made: Made) -> None:
    for hours in (-2, 2):
        with pytest.raises(InvalidInput) as refused:
            picked(courier, made.manifest, Told(timezone.now() + timedelta(hours=hours)))
        assert refused.value.errors[0].pointer == "/picked_up_at"


def test_cancelled_manifest_sets_its_parcels_free(
    courier: Actor, merchant: Actor, waiting: list[Parcel], made: Made, pickup: Pickup
) -> None:
    with scope(Scope.of(merchant)):
        cancel_manifest(actor=merchant, number=made.manifest.number, at=timezone.now())
    with pytest.raises(Conflict, match="cancelled"):
        picked(courier, made.manifest)
    again = made_of_day(merchant, pickup).manifest
    assert (again.listed, again.ordinal) == (3, 2)
    picked(courier, again)
    with scope(Scope.of(merchant)), pytest.raises(Conflict):
        cancel_manifest(actor=merchant, number=again.number, at=timezone.now())


def test_both_sides_remark_and_nobody_else(courier: Actor, merchant: Actor, made: Made) -> None:
    from tests import factories  # noqa: PLC0415 -- the rival of this test only

    number = made.manifest.number
    for actor in (courier, merchant):
        with scope(Scope.of(actor)):
            remark_manifest(actor=actor, number=number, text=f" {actor.organisation_kind} ")
    with scope(Scope.everything()):
        manifest = Manifest.objects.get(code=made.manifest.code)
    assert (manifest.courier_remark, manifest.merchant_remark) == ("courier", "merchant")
    with scope(Scope.of(merchant)), pytest.raises(InvalidInput):
        remark_manifest(actor=merchant, number=number, text="x" * 501)
    rival = factories.courier_organisation("Rival Logistics")
    other = Actor(
        **{**{name: getattr(courier, name) for name in Actor.__slots__}, "organisation_id": rival.pk}
    )
    with scope(Scope.of(other)), pytest.raises(NotFound):
        picked(other, made.manifest)


def test_remarks_are_erased_in_time(courier: Actor, made: Made) -> None:
    with scope(Scope.of(courier)):
        remark_manifest(actor=courier, number=made.manifest.number, text="Ms Wang was not in")
    for days, kept in ((1, "Ms Wang was not in"), (0, "")):
        forget_remarks(before=timezone.now() - timedelta(days=days))
        with scope(Scope.everything()):
            assert Manifest.objects.get().courier_remark == kept
