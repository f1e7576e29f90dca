"""Dry runs: their figures counted once more by hand, and who may start one."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alliance.choices import Role
from alliance.errors import Conflict, InvalidInput, NotPermitted
from alliance.members.services.actors import actor_of_organisation
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from parcels.dry_runs.models import DryRun
from parcels.dry_runs.rules import Count, Side
from parcels.dry_runs.services import Period, count_dry_run, rules_of, start_dry_run
from parcels.models import Parcel
from slas.allocation.services import delete_rule
from slas.models import Offer
from tests.parcels.helpers.bookings import booked, parcels_of, request_for, tomorrow
from tests.slas.helpers.allocation import rule
from tests.slas.helpers.offers import offer, record


@pytest.fixture
def today() -> date:
    return timezone.localdate()


@pytest.fixture
def rival(rival_courier: Organisation, hangzhou: City, chengdu: City, today: date) -> Offer:
    """Ranked first: 190 of 200 on time; 15 yuan."""
    made = offer(rival_courier, hangzhou, chengdu, price_fen=1500, daily_capacity=500)
    record(made, today - timedelta(days=2), met=190, late=10)
    return made


@pytest.fixture
def lane(sold: Offer, rival: Offer, hangzhou: City, chengdu: City, today: date) -> tuple[City, City]:
    """`sold` is 12.50 yuan; 80 of 100 on time."""
    record(sold, today - timedelta(days=2), met=80, late=20)
    return hangzhou, chengdu


@pytest.fixture
def past(merchant: Actor, lane: tuple[City, City]) -> None:
    """Twelve bookings of many weights, of which one is cancelled."""
    weights = (200, 500, 900, 1_500, 1_800, 4_000, 6_000, 8_000, 12_000, 15_000, 19_000, 700)
    for number, weight_g in enumerate(weights):
        one = booked(merchant, *lane, at=timezone.now(), ready_at=tomorrow(), weight_g=weight_g,
            reference=f"{'VIP' if number % 3 == 0 else 'SO'}-{number}")  # fmt: skip
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=one.parcel_id, at=timezone.now())


def run_of(merchant: Actor, *rules: Any, a_slice: int = 5) -> DryRun:
    period = Period.last_days(timezone.localdate())
    with scope(Scope.of(merchant)):
        run = start_dry_run(actor=merchant, rule_ids=[each.pk for each in rules], period=period)
    assert count_dry_run(run_id=run.pk, parcels_a_slice=a_slice)
    with scope(Scope.of(merchant)):
        return DryRun.objects.get(pk=run.pk)


def test_the_figures_recounted_from_the_parcels(
    merchant: Actor, past: None, sold: Offer, rival: Offer, rival_courier: Organisation,
    courier_organisation: Organisation, everything: None,
) -> None:  # fmt: skip
    """Written down anew for these rules, without the code of rules, ranking or market."""
    key_account = rule(merchant, "Key account", "only", couriers=[rival_courier], reference_prefix="VIP")
    light = rule(merchant, "Light", "cheapest", most_g=2_000)
    heavy = rule(merchant, "Heavy", "never", couriers=[rival_courier, courier_organisation], least_g=15_000)
    run = run_of(merchant, key_account, light, heavy)
    count = Count.from_json(run.result)
    assert (run.state, run.percent, run.done) == ("done", 100, 11)

    rates = {sold.courier_id: 80 / 100, rival.courier_id: 190 / 200}
    prices = {sold.courier_id: sold.price_fen, rival.courier_id: 1500}
    parcels, fees = Counter[int](), Counter[int]()
    was_parcels, was_fees = Counter[int](), Counter[int]()
    decided, refused, moved = Counter[int](), Counter[int](), 0
    sums: dict[str, list[float]] = defaultdict(list)
    for parcel in parcels_of(merchant):
        weight_g, vip = parcel.weight_g or 0, parcel.reference.startswith("VIP")
        if parcel.status == "cancelled":
            continue
        if weight_g >= 15_000:
            refused[heavy.pk] += 1
            continue
        is_cheap = weight_g <= 2_000 and not vip
        courier_id = sold.courier_id if is_cheap else rival.courier_id
        # The rival, as recommended, took all: what it was paid above its price is the surcharge.
        surcharge_fen = (parcel.fee_fen or 0) - 1500
        # A cheapest among one is decided by that rule, too.
        decided[light.pk if weight_g <= 2_000 else key_account.pk if vip else 0] += 1
        parcels[courier_id] += 1
        fees[courier_id] += prices[courier_id] + surcharge_fen
        was_parcels[parcel.courier_id] += 1
        was_fees[parcel.courier_id] += parcel.fee_fen or 0
        moved += courier_id != parcel.courier_id
        sums["was"].append(rates[parcel.courier_id])
        sums["now"].append(rates[courier_id])
    assert {pk: side.parcels for pk, side in count.ruled.items()} == parcels
    assert {pk: side.fen for pk, side in count.ruled.items()} == fees
    assert {pk: side.parcels for pk, side in count.booked.items()} == was_parcels
    assert {pk: side.fen for pk, side in count.booked.items()} == was_fees
    assert (count.decided, count.refused, count.moved, count.gone) == (decided, refused, moved, 0)
    for sides, of in ((count.booked, "was"), (count.ruled, "now")):
        total = sum(sides.values(), Side())
        assert total.rate == pytest.approx(sum(sums[of]) / len(sums[of]))
    assert moved > 2
    assert refused.total() == 2


def test_slices_of_any_size_give_the_same_and_a_second_worker_changes_nothing(
    merchant: Actor, past: None
) -> None:
    cheap = rule(merchant, "Cheap", "cheapest")
    one_by_one, at_once = run_of(merchant, cheap, a_slice=1), run_of(merchant, cheap, a_slice=100)
    assert one_by_one.result == at_once.result
    assert count_dry_run(run_id=at_once.pk)
    with scope(Scope.of(merchant)):
        assert DryRun.objects.get(pk=at_once.pk).done == at_once.done


def ordered(merchant: Actor, lane: tuple[City, City], *weights: int, reference: str = "") -> list[Parcel]:
    """Book parcels of these weights as one order, for a day on which there is room."""
    requests = [
        request_for(*lane, tomorrow(), weight_g=weight, reference=reference, piece=n, pieces=len(weights))
        for n, weight in enumerate(weights, start=1)
    ]
    with scope(Scope.of(merchant)):
        made = book_parcels(actor=merchant, requests=requests, at=timezone.now())
        return [Parcel.objects.get(pk=each.parcel_id) for each in made if isinstance(each, Booked)]


@pytest.mark.parametrize("a_slice", [1, 2, 50])
def test_parcels_of_an_order_go_together_by_its_heaviest_one(
    merchant: Actor, lane: tuple[City, City], sold: Offer, rival: Offer, courier_organisation: Organisation,
    rival_courier: Organisation, a_slice: int,
) -> None:  # fmt: skip
    ordered(merchant, lane, 500, 4_000, 700)
    ordered(merchant, lane, 500, 900)
    [_light, heavy] = ordered(merchant, lane, 600, 9_000)
    ordered(merchant, lane, 16_000, 100)
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=heavy.pk, at=timezone.now())
    light = rule(merchant, "Light", "cheapest", most_g=2_000)
    never = rule(merchant, "Heavy", "never", couriers=[rival_courier, courier_organisation], least_g=15_000)
    count = Count.from_json(run_of(merchant, light, never, a_slice=a_slice).result)
    # One of them was cancelled since: what it was booked with goes by it all the same.
    assert {pk: side.parcels for pk, side in count.ruled.items()} == {sold.courier_id: 2, rival.courier_id: 4}
    assert (count.refused[never.pk], count.decided[light.pk], count.decided[0]) == (2, 2, 4)


def test_shares_are_drawn_once_for_an_order_without_a_reference(
    merchant: Actor, lane: tuple[City, City], courier_organisation: Organisation, rival_courier: Organisation
) -> None:
    for _time in range(12):
        ordered(merchant, lane, 500, 900)
    half = rule(merchant, "Half", "split", couriers={courier_organisation: 50, rival_courier: 50})
    run = run_of(merchant, half, a_slice=7)
    shares = [side.parcels for side in Count.from_json(run.result).ruled.values()]
    assert sum(shares) == 24
    assert not any(share % 2 for share in shares)


def test_a_lane_that_is_no_longer_on_sale_is_counted_apart(
    merchant: Actor, past: None, everything: None
) -> None:
    Offer.objects.update(active=False)
    count = Count.from_json(run_of(merchant, rule(merchant, "Cheap", "cheapest")).result)
    assert (count.gone, count.placed) == (11, 0)


def test_rules_are_tried_as_they_were_when_it_was_asked_for(merchant: Actor, past: None, sold: Offer) -> None:
    cheap = rule(merchant, "Cheap", "cheapest", is_active=False)
    run = run_of(merchant, cheap)
    assert Count.from_json(run.result).ruled.keys() == {sold.courier_id}
    with scope(Scope.of(merchant)):
        delete_rule(actor=merchant, rule_id=cheap.pk)
    assert [each.name for each in rules_of(run)] == ["Cheap"]


def test_what_is_refused(merchant: Actor, merchant_organisation: Organisation) -> None:
    cheap = rule(merchant, "Cheap", "cheapest")
    period = Period.last_month(date(2026, 3, 15))
    assert period == Period(date(2026, 2, 1), date(2026, 2, 28))
    with scope(Scope.of(merchant)):
        for wrong in ([], [cheap.pk, 10**9]):
            with pytest.raises(InvalidInput):
                start_dry_run(actor=merchant, rule_ids=wrong, period=period)
        with pytest.raises(InvalidInput):
            start_dry_run(
                actor=merchant, rule_ids=[cheap.pk], period=Period(date(2026, 1, 1), date(2026, 2, 1))
            )
        start_dry_run(actor=merchant, rule_ids=[cheap.pk], period=period)
        with pytest.raises(Conflict, match="at work"):
            start_dry_run(actor=merchant, rule_ids=[cheap.pk], period=period)
    agent = actor_of_organisation(merchant_organisation, kind="user", role=Role.AGENT, label="agent")
    with scope(Scope.of(agent)), pytest.raises(NotPermitted):
        start_dry_run(actor=agent, rule_ids=[cheap.pk], period=period)


def test_pages_show_progress_then_the_result(merchant: Actor, merchant_client: Client, past: None) -> None:
    cheap = rule(merchant, "Cheap", "cheapest")
    url = reverse("parcels:dry_run_list")
    assert merchant_client.post(url, {"period": "days"}).status_code == 422
    response = merchant_client.post(url, {"rules": [cheap.pk], "period": "days"})
    page = merchant_client.get(response["Location"]).content.decode()
    assert "Percent of the days done" in page
    with scope(Scope.of(merchant)):
        run = DryRun.objects.get()
    count_dry_run(run_id=run.pk)
    assert merchant_client.get(response["Location"], headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    page = merchant_client.get(response["Location"]).content.decode()
    assert "Swift Express" in page
    assert "less than booked" in page
    assert "The cheapest courier." in page


def test_ops_see_rules_and_runs_and_find_them_by_the_merchant(
    merchant: Actor, ops_client: Client, past: None, rival_courier: Organisation
) -> None:
    cheap = rule(merchant, "Cheap", "cheapest", reference_prefix="VIP")
    never = rule(merchant, "Not them", "never", couriers=[rival_courier])
    run = run_of(merchant, cheap, never)
    for name, rows in {"slas_allocationrule": [cheap.pk, never.pk], "parcels_dryrun": [run.pk]}.items():
        for text, found in (("Lotus", rows), ("nobody of this name", [])):
            page = ops_client.get(reverse(f"admin:{name}_changelist"), {"q": text})
            assert [row.pk for row in page.context["cl"].result_list] == found
    page = ops_client.get(reverse("admin:slas_allocationrule_changelist")).content.decode()
    assert "reference beginning with “VIP”" in page
    page = ops_client.get(reverse("admin:slas_allocationrule_change", args=[never.pk])).content.decode()
    assert f"Never {rival_courier.name}." in page
    page = ops_client.get(reverse("admin:parcels_dryrun_change", args=[run.pk])).content.decode()
    assert "reference beginning with “VIP”" in page
    assert "Swift Express" in page
