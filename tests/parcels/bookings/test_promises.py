"""The same promise in pages, API and files: known cut-off bugs, and changes of the rules."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.demo.promises import announce_what_comes
from parcels.models import Parcel
from slas.models import Closure, Commitment, ServiceTier, TierVersion
from slas.promises.rules import Promise, promise
from slas.promises.services.closures import Declaration, declare_closures, withdraw_closure
from slas.promises.services.versions import VersionRules, add_version
from slas.promises.tiers_in_force import calendar_at, place_of, tiers_at
from tests.parcels.helpers.bookings import body_for, booked, tomorrow
from tests.slas.helpers.offers import fill, offer, today_at

pytestmark = pytest.mark.django_db
QUOTES, PARCELS = "/api/v1/quotes", "/api/v1/parcels"
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = timedelta(days=1)


def commitments(parcel_id: int) -> dict[str, Commitment]:
    with scope(Scope.everything()):
        return {item.kind: item for item in Commitment.objects.filter(parcel_id=parcel_id)}


def change_rules(system: Actor, *, valid_from: datetime, now: datetime, **fields: object) -> TierVersion:
    """Announce a version of the next-day tier that differs from the newest in some fields."""
    tier = ServiceTier.objects.get(code="next_day")
    newest = tier.versions.order_by("-number").first()
    values = {name: getattr(newest, name) for name in VersionRules.__slots__}
    rules = VersionRules(**{**values, "valid_from": valid_from, **fields})
    with scope(Scope.everything()):
        return add_version(actor=system, tier_id=tier.pk, rules=rules, now=now)


def plain(origin: City, destination: City, at: datetime) -> Promise:
    """The promise by the rule itself, without a view."""
    rule = tiers_at(at)["next_day"].rule
    return promise(rule, place_of(origin), place_of(destination), at, calendar_at(at), booked_at=at)


# --- one rule for all views -------------------------------------------------------------------


def pass_the_cut_off() -> datetime:
    """Set the cut-off to midnight, so that today's has passed; return the time in China."""
    cut_offs = {str(day): {"time": "00:00", "day_offset": 0} for day in range(7)}
    tier = ServiceTier.objects.get(code="next_day")
    tier.versions.update(cut_offs=cut_offs, pickup_by="23:59", deliver_by="23:59")
    return timezone.now().astimezone(SHANGHAI)


def test_api_quote_booking_and_batch_apply_the_cut_off(
    merchant_api: APIClient, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    now = pass_the_cut_off()
    expected = plain(hangzhou, chengdu, now)
    assert expected.rolled_days >= 1
    body = body_for(recipient=...)
    quoted = merchant_api.post(QUOTES, body).json()["offers"][0]["promise"]
    single = merchant_api.post(PARCELS, body_for()).json()["promise"]
    batch = merchant_api.post(f"{PARCELS}/batch", {"parcels": [body_for()]}).json()
    for promise_data in (quoted, single, batch["results"][0]["promise"]):
        assert promise_data["current"] == expected.deliver_by.isoformat()
        # The roll is not silent: a field, a count, and a note with cut-off and city.
        assert (promise_data["rolled"], promise_data["rolled_days"]) == (True, expected.rolled_days)
        assert "The cut-off in Hangzhou" in promise_data["note"]


def test_quote_page_applies_the_cut_off_and_counts_down(
    merchant_client: Client, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    now = pass_the_cut_off()
    query = {"origin": "Hangzhou", "destination": "Chengdu", "weight": "0.8", "tier": "next_day"}
    ready = f"{now:%Y-%m-%dT%H:%M}"
    page = merchant_client.get(reverse("parcels:quote_create"), {**query, "ready_at": ready}).content.decode()
    expected = plain(hangzhou, chengdu, now)
    assert f'data-countdown="{expected.cut_off_at.isoformat()}"' in page
    assert "The cut-off in Hangzhou for pickup on" in page
    assert "has passed" in page


def test_page_and_api_explain_a_promise_with_the_same_sentences(
    merchant_client: Client, merchant_api: APIClient, courier_organisation: Organisation, hangzhou: City,
    chengdu: City,
) -> None:  # fmt: skip
    offer(courier_organisation, hangzhou, chengdu)
    ready = tomorrow()
    steps = merchant_api.post(QUOTES, {**body_for(recipient=...), "ready_at": ready.isoformat()}).json()
    sentences = [step["text"] for step in steps["offers"][0]["promise"]["steps"]]
    query = {
        "origin": "Hangzhou", "destination": "Chengdu", "weight": "0.8", "tier": "next_day",
        "ready_at": f"{ready:%Y-%m-%dT%H:%M}",
    }  # fmt: skip
    page = merchant_client.get(reverse("parcels:quote_create"), query).content.decode()
    # The first step has the booking time, which differs slightly.
    assert len(sentences) > 4
    assert [sentence for sentence in sentences[1:] if f"<li>{sentence}</li>" not in page] == []


def test_cut_off_on_the_day_before_is_kept_by_a_booking(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    eve = {str(day): {"time": "22:00", "day_offset": -1} for day in range(7)}
    ServiceTier.objects.get(code="next_day").versions.update(cut_offs=eve, pickup_by="10:00")
    in_time = booked(merchant, hangzhou, chengdu, at=today_at(22), ready_at=today_at(8, days=1))
    too_late = booked(merchant, hangzhou, chengdu, at=today_at(22, 1), ready_at=today_at(8, days=1))
    assert in_time.promise.pickup_by == today_at(10, days=1)
    assert too_late.promise.pickup_by == today_at(10, days=2)


# --- versions ---------------------------------------------------------------------------------


def test_commitments_keep_the_version_that_made_them(
    system: Actor, merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    first = TierVersion.objects.get(tier__code="next_day")
    before = booked(merchant, hangzhou, chengdu, at=today_at(10))
    second = change_rules(system, valid_from=today_at(12), now=today_at(11), days_in_transit=2)
    until = booked(merchant, hangzhou, chengdu, at=today_at(12) - timedelta(microseconds=1))
    after = booked(merchant, hangzhou, chengdu, at=today_at(12))
    for parcel, version, days in ((before, first, 1), (until, first, 1), (after, second, 2)):
        commitments_by_kind = commitments(parcel.parcel_id)
        assert {item.version_id for item in commitments_by_kind.values()} == {version.pk}
        assert commitments_by_kind["delivery"].due_at == today_at(20, days=days)
        assert commitments_by_kind["pickup"].due_at == today_at(20)


def test_promise_before_an_announced_closure_is_unchanged(
    system: Actor, merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    before = booked(merchant, hangzhou, chengdu, at=today_at(10))
    with scope(Scope.everything()):
        declare_closures(
            actor=system,
            declaration=Declaration(name="Typhoon", first=today_at(0, days=1).date(), city=chengdu),
            now=today_at(11),
        )
    after = booked(merchant, hangzhou, chengdu, at=today_at(11))
    assert commitments(before.parcel_id)["delivery"].due_at == today_at(20, days=1)
    assert commitments(after.parcel_id)["delivery"].due_at == today_at(20, days=2)


# --- the explanation on the parcel's page -----------------------------------------------------


def page_of(client: Client, parcel_id: int) -> str:
    with scope(Scope.everything()):
        number = Parcel.objects.get(pk=parcel_id).number
    return client.get(reverse("parcels:parcel_detail", args=[number])).content.decode()


@pytest.fixture
def without_closures() -> None:
    """Before anything else: on a cluster, a copy on every node is not changed after a read of all shards."""
    Closure.objects.all().delete()


def test_parcel_page_explains_the_promise_by_the_rules_at_booking(
    without_closures: None, system: Actor, merchant: Actor, merchant_client: Client, courier_client: Client,
    courier_organisation: Organisation, hangzhou: City, chengdu: City,
) -> None:  # fmt: skip
    offer(courier_organisation, hangzhou, chengdu)
    tuesday = today_at(0).date()
    with scope(Scope.everything()):
        [closure] = declare_closures(
            actor=system,
            declaration=Declaration(name="Fair", first=tuesday + DAY, city=chengdu),
            now=today_at(9),
        )
    parcel = booked(merchant, hangzhou, chengdu, at=today_at(10))
    # Later changes: other rules, the closure withdrawn, another closure.
    change_rules(system, valid_from=today_at(12), now=today_at(11), days_in_transit=2)
    with scope(Scope.everything()):
        withdraw_closure(actor=system, closure_id=closure.pk, now=today_at(11))
        declare_closures(
            actor=system,
            declaration=Declaration(name="Flood", first=tuesday, city=hangzhou),
            now=today_at(11),
        )
    for client in (merchant_client, courier_client):
        page = page_of(client, parcel.parcel_id)
        assert "Chengdu is closed on Wed 25 Nov 2026 (Fair)." in page
        assert "Delivered in Chengdu by Thu 26 Nov 2026 20:00." in page
        assert "By version 1 of the rules of Next day" in page
        assert "Flood" not in page


def test_parcel_page_explains_a_later_day_after_a_full_one(
    merchant: Actor,
    merchant_client: Client,
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    fill(sold, today_at(0).date())
    parcel = booked(merchant, hangzhou, chengdu, at=today_at(10), if_full="next")
    assert "Picked up in Hangzhou by Wed 25 Nov 2026 20:00." in page_of(merchant_client, parcel.parcel_id)


def test_parcel_page_explains_only_promises_it_can_reproduce(
    merchant: Actor,
    merchant_client: Client,
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    parcel = booked(merchant, hangzhou, chengdu, at=today_at(10))
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.parcel_id).update(deliver_by=today_at(19, days=1))
    assert "How this promise was calculated" not in page_of(merchant_client, parcel.parcel_id)


# --- the demo ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("everything")
def test_demo_announces_a_closure_and_a_change_of_rules(system: Actor, hangzhou: City, chengdu: City) -> None:
    now = today_at(12)
    assert announce_what_comes(system, now=now, zone=SHANGHAI) == 2
    evening = plain(hangzhou, chengdu, today_at(12, days=4))
    assert evening.pickup_by == today_at(23, days=4)
    days = {at: tiers_at(today_at(0, days=at))["standard"].rule.days_in_transit for at in (9, 10)}
    assert days == {9: 3, 10: 2}
