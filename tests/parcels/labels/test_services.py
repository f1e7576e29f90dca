"""Printing: the first time and again, whose labels, what is refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from alliance.errors import InvalidInput, NotPermitted
from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import ParcelStatus
from parcels.labels.queries import asked_for, labels_of, size_of
from parcels.labels.services import choose_size, note_prints, print_labels
from parcels.models import Parcel
from tests.access.trade import owner
from tests.parcels.helpers.parcel_views import RECIPIENT, some_parcels

pytestmark = pytest.mark.django_db


@pytest.fixture
def merchant(merchant_organisation: Organisation) -> Actor:
    return owner(merchant_organisation)


def note(actor: Actor, *numbers: str, unmasked: bool = False):  # type: ignore[no-untyped-def]
    with scope(Scope.of(actor)):
        return note_prints(actor=actor, numbers=numbers, at=timezone.now(), unmasked=unmasked)


def test_the_second_print_is_a_reprint_and_the_first_moment_is_kept(merchant: Actor, parcel: Parcel) -> None:
    [first] = note(merchant, parcel.number)
    with scope(Scope.everything()):
        at = Parcel.objects.get(pk=parcel.pk).label_printed_at
    [second] = note(merchant, parcel.number)
    assert (first.is_reprint, second.is_reprint) == (False, True)
    with scope(Scope.everything()):
        assert Parcel.objects.get(pk=parcel.pk).label_printed_at == at


def test_the_courier_prints_again_what_the_merchant_printed(
    merchant: Actor, courier_organisation: Organisation, parcel: Parcel
) -> None:
    note(merchant, parcel.number)
    courier = owner(courier_organisation)
    [again] = note(courier, parcel.number)
    assert again.is_reprint
    with scope(Scope.of(courier)):
        [label] = print_labels(actor=courier, printed=[again], now=timezone.now())
    assert label.is_reprint
    assert label.recipient == "欧***"
    assert not any(digits in label.recipient_address for digits in "0123456789")


def test_what_gets_no_label_does_not_stop_the_others(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant: Actor
) -> None:
    parcels = some_parcels(merchant_organisation, courier_organisation, count=3)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcels[1].pk).update(status=ParcelStatus.CANCELLED)
    numbers = [parcels[2].number, "nonsense", parcels[1].number, parcels[0].number.lower(), parcels[2].number]
    printed = note(merchant, *numbers)
    assert [each.refusal and each.refusal.reason for each in printed] == [
        None, "unknown_tracking_number", "parcel_cancelled", None, "duplicate",
    ]  # fmt: skip
    assert [each.number for each in printed if each.parcel] == [parcels[2].number, parcels[0].number]
    with scope(Scope.everything()):
        assert Parcel.objects.get(pk=parcels[1].pk).label_printed_at is None


def test_a_rival_prints_nothing_of_others(rival_merchant: Organisation, parcel: Parcel) -> None:
    [refused] = note(owner(rival_merchant), parcel.number)
    assert refused.refusal is not None
    assert refused.refusal.reason == "unknown_tracking_number"


def test_a_viewer_does_not_print(merchant: Actor, parcel: Parcel) -> None:
    viewer = Actor(**{**fields_of(merchant), "capabilities": frozenset({"parcels:read"})})
    with pytest.raises(NotPermitted):
        note(viewer, parcel.number)


def test_unmasked_labels_need_the_capability_and_are_audited(merchant: Actor, parcel: Parcel) -> None:
    [printed] = note(merchant, parcel.number, unmasked=True)
    with scope(Scope.of(merchant)):
        [label] = print_labels(actor=merchant, printed=[printed], now=timezone.now(), unmasked=True)
        entry = AuditEntry.objects.get(verb="label.unmasked")
    assert label.recipient == RECIPIENT["recipient_name"]
    assert entry.detail == {"count": 1, "numbers": [parcel.number]}
    masked = Actor(**{**fields_of(merchant), "capabilities": merchant.capabilities - {"parcels:unmask"}})
    with pytest.raises(NotPermitted):
        note(masked, parcel.number, unmasked=True)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_file_has_one_to_a_thousand_labels(merchant: Actor, count: int) -> None:
    with pytest.raises(InvalidInput):
        note(merchant, *["CA180HFPF3JNCPRS"] * count)


def test_a_label_says_the_hour_at_the_destination_and_both_names_of_cities(
    merchant: Actor, parcel: Parcel
) -> None:
    with scope(Scope.of(merchant)):
        [asked] = asked_for(actor=merchant, numbers=[parcel.number])
        assert isinstance(asked, Parcel)
        [label] = labels_of(actor=merchant, parcels=[asked], now=timezone.now())
    due = parcel.deliver_by + timedelta(hours=8)
    assert label.hour.endswith(f"{due:%H:%M}")
    assert label.zone == "Chengdu time, UTC+8"
    assert (label.origin.code, label.destination.code) == ("HGH", "CTU")
    assert (label.destination.name, label.destination.other_name) == ("Chengdu", "成都")
    assert label.address.endswith(f"/s/{parcel.number}/")
    assert (label.n, label.m) == (1, 1)


@pytest.mark.parametrize("count", [1, 3])
def test_a_file_takes_the_same_statements_for_any_number_of_labels(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    merchant: Actor,
    count: int,
    django_assert_max_num_queries,  # type: ignore[no-untyped-def]
) -> None:
    parcels = some_parcels(merchant_organisation, courier_organisation, count=count)
    with django_assert_max_num_queries(14):
        printed = note(merchant, *[each.number for each in parcels])
        with scope(Scope.of(merchant)):
            print_labels(actor=merchant, printed=printed, now=timezone.now())


def test_an_organisation_chooses_its_size(merchant: Actor) -> None:
    with scope(Scope.of(merchant)):
        assert size_of(merchant) == "76x130"
        choose_size(actor=merchant, size="100x150")
        assert size_of(merchant) == "100x150"
        with pytest.raises(InvalidInput):
            choose_size(actor=merchant, size="A4")


def fields_of(actor: Actor) -> dict[str, object]:
    return {name: getattr(actor, name) for name in Actor.__dataclass_fields__}


def test_label_says_which_parcel_of_how_many_of_its_order(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant: Actor
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation)
    with scope(Scope.of(merchant)):
        Parcel.objects.filter(pk=parcel.pk).update(piece=2, pieces=3, order_id=parcel.pk)
        [asked] = asked_for(actor=merchant, numbers=[parcel.number])
        assert isinstance(asked, Parcel)
        [label] = labels_of(actor=merchant, parcels=[asked], now=timezone.now())
    assert (label.n, label.m) == (2, 3)
