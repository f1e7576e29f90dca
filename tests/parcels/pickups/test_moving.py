"""An agreed window that is moved: the old one stands until the other side agrees."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pypdfium2 import PdfDocument
from rest_framework.test import APIClient

from alliance.errors import AllianceError, Conflict, InvalidInput
from alliance.models import AuditEntry, Event
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, Pickup
from parcels.pickups.queries import count_to_answer, pickup_of, round_of
from parcels.pickups.services.answering import cancel_pickup
from parcels.pickups.services.counting import count_missed, count_missed_again
from parcels.pickups.services.proposing import agree_to_window, keep_window, propose_window
from slas.choices import CommitmentKind, Outcome
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Commitment
from tests.parcels.helpers.bookings import pointers
from tests.parcels.helpers.parcel_views import scan, text_of
from tests.parcels.pickups.conftest import accept, request
from tests.slas.helpers.offers import in_threads

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def agreed(merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime) -> Pickup:
    """From ten to twelve; promised by three."""
    return accept(courier, request(merchant, booked, nine).pickup, nine)


def by(actor: Actor, verb: Callable[..., Pickup], pickup: Pickup, **more: Any) -> Pickup:
    with scope(Scope.of(actor)):
        return verb(actor=actor, pickup_id=pickup.pk, **more)


def window(nine: datetime, start: float, end: float) -> dict[str, datetime]:
    return {"starts_at": nine + start * HOUR, "ends_at": nine + end * HOUR}


def due(parcel: Parcel) -> datetime:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel.pk, kind=CommitmentKind.PICKUP).due_at


def pdf_text(content: bytes) -> str:
    return "".join(page.get_textpage().get_text_range() for page in PdfDocument(content))


@pytest.mark.parametrize("asks", ["merchant", "courier"])
def test_the_old_window_stands_until_the_other_side_agrees(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime, agreed: Pickup, asks: str
) -> None:
    side, other = (merchant, courier) if asks == "merchant" else (courier, merchant)
    later = window(nine, 3, 5)
    moving = by(side, propose_window, agreed, **later, answer="Gate closed", now=nine)
    assert (moving.state, moving.starts_at, moving.ends_at) == ("accepted", agreed.starts_at, agreed.ends_at)
    assert (moving.proposed_by, moving.move_note) == (asks, "Gate closed")
    assert {due(parcel) for parcel in booked} == {nine + 3 * HOUR}
    with scope(Scope.of(other)):
        assert count_to_answer(actor=other, now=nine) == 1
    with scope(Scope.of(side)):
        assert count_to_answer(actor=side, now=nine) == 0
    with pytest.raises(Conflict) as refused:
        by(side, agree_to_window, agreed, **later, now=nine)
    assert refused.value.reason == "own_proposal"
    moved = by(other, agree_to_window, agreed, **later, now=nine)
    assert (moved.ends_at, moved.proposed_by, moved.move_note) == (nine + 5 * HOUR, "", "")
    assert {due(parcel) for parcel in booked} == {nine + 5 * HOUR}
    # Twice is once.
    assert by(other, agree_to_window, agreed, **later, now=nine).ends_at == nine + 5 * HOUR
    with scope(Scope.everything()):
        assert Event.objects.filter(topic="pickup.accepted").count() == 2
        assert AuditEntry.objects.filter(verb="pickup.agreed").count() == 1


def test_a_moved_window_is_never_due_later_than_promised_and_may_be_sooner(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime, agreed: Pickup
) -> None:
    late, soon = window(nine, 5, 8), window(nine, 0.5, 2)
    by(courier, propose_window, agreed, **late, answer="", now=nine)
    by(merchant, agree_to_window, agreed, **late, now=nine)
    assert {due(parcel) for parcel in booked} == {nine + 6 * HOUR}
    by(courier, propose_window, agreed, **soon, answer="", now=nine)
    by(merchant, agree_to_window, agreed, **soon, now=nine)
    assert {due(parcel) for parcel in booked} == {nine + 2 * HOUR}
    by(merchant, cancel_pickup, agreed, now=nine)
    assert {due(parcel) for parcel in booked} == {nine + 6 * HOUR}


def test_what_was_picked_up_or_is_late_stays_as_it_was_judged(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime, agreed: Pickup
) -> None:
    scan(booked[0], "picked_up", 1.5)
    by(courier, propose_window, agreed, **window(nine, 3, 5), answer="", now=nine + 2 * HOUR)
    by(merchant, agree_to_window, agreed, **window(nine, 3, 5), now=nine + 2 * HOUR)
    assert [due(parcel) for parcel in booked] == [nine + hours * HOUR for hours in (3, 5, 5)]
    sweep_overdue(now=nine + 5 * HOUR + timedelta(minutes=1))
    with scope(Scope.everything()):
        outcomes = Commitment.objects.filter(kind=CommitmentKind.PICKUP).order_by("parcel_id")
        assert [*outcomes.values_list("outcome", flat=True)] == [
            Outcome.MET,
            Outcome.OVERDUE,
            Outcome.OVERDUE,
        ]


def test_a_move_to_another_day_is_in_that_days_round(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime, agreed: Pickup
) -> None:
    tomorrow = window(nine, 24, 26)
    by(courier, propose_window, agreed, **tomorrow, answer="", now=nine)
    by(merchant, agree_to_window, agreed, **tomorrow, now=nine)
    with scope(Scope.of(courier)):
        assert round_of(courier, agreed.day, nine) == []
        assert len(round_of(courier, agreed.day + timedelta(days=1), nine)) == 1


def test_keeping_the_window_refuses_the_proposal_or_takes_it_back(
    merchant: Actor, courier: Actor, nine: datetime, agreed: Pickup
) -> None:
    first, second = window(nine, 3, 5), window(nine, 2, 4)
    for side in (courier, merchant):
        by(merchant, propose_window, agreed, **first, answer="x", now=nine)
        kept = by(side, keep_window, agreed, **first, now=nine)
        assert (kept.proposed_by, kept.proposed_starts_at, kept.ends_at) == ("", None, agreed.ends_at)
    assert by(courier, keep_window, agreed, **first, now=nine).proposed_by == ""
    by(merchant, propose_window, agreed, **first, answer="", now=nine)
    # A counter-proposal replaces what was proposed, and what was read of it.
    by(courier, propose_window, agreed, **second, answer="", now=nine)
    for verb in (agree_to_window, keep_window):
        with pytest.raises(Conflict) as refused:
            by(merchant, verb, agreed, **first, now=nine)
        assert refused.value.reason == "window_over"


@pytest.mark.parametrize(
    ("hours", "pointer", "code"),
    [
        ((1, 3), "/starts_at", "same"),
        ((4, 7), "/ends_at", "after_promise"),
        ((3, 2), "/ends_at", "order"),
        ((1, 14), "/ends_at", "length"),
    ],
)
def test_windows_that_do_not_suit_are_refused_where_they_are_wrong(
    merchant: Actor, nine: datetime, agreed: Pickup, hours: tuple[float, float], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        by(merchant, propose_window, agreed, **window(nine, *hours), answer="", now=nine)
    assert [(each.pointer, each.code) for each in refused.value.errors] == [(pointer, code)]


def test_a_window_that_is_over_or_not_agreed_on_is_not_moved(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime, agreed: Pickup
) -> None:
    now = nine + 4 * HOUR
    with pytest.raises(Conflict) as refused:
        by(courier, propose_window, agreed, **window(nine, 5, 6), answer="", now=now)
    assert refused.value.reason == "window_over"
    asked = request(merchant, booked, now, hours=(1, 2)).pickup
    hours = window(nine, 5, 6)
    for side, verb, more, code in (
        (merchant, propose_window, {"answer": ""}, "not_agreed"),
        (merchant, keep_window, {}, "not_agreed"),
        (courier, agree_to_window, {}, "not_proposed"),
    ):
        with pytest.raises(Conflict) as refused:
            by(side, verb, asked, **hours, **more, now=now)
        assert refused.value.reason == code


@pytest.mark.django_db(transaction=True)
def test_of_agreeing_keeping_and_proposing_at_once_one_comes_first(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime, agreed: Pickup
) -> None:
    later, other = window(nine, 3, 5), window(nine, 2, 4)
    by(courier, propose_window, agreed, **later, answer="", now=nine)

    def answer(number: int) -> Pickup:
        if number % 3 == 0:
            return by(merchant, agree_to_window, agreed, **later, now=nine)
        if number % 3 == 1:
            return by(courier, keep_window, agreed, **later, now=nine)
        return by(courier, propose_window, agreed, **other, answer="", now=nine)

    results = in_threads(answer, 6)
    assert all(isinstance(each, Pickup | AllianceError) for each in results)
    with scope(Scope.everything()):
        pickup = Pickup.objects.get()
    # Whatever came first, the due times are those of the window that stands.
    assert pickup.ends_at in {nine + 3 * HOUR, nine + 5 * HOUR}
    assert {due(parcel) for parcel in booked} == {pickup.ends_at}


def test_both_sides_move_a_window_on_the_page(
    merchant_client: Client,
    courier_client: Client,
    nine: datetime,
    agreed: Pickup,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: nine)
    url = f"/pickups/{agreed.pk}/"
    form = {"day": nine.date().isoformat(), "start": "13:00", "end": "16:00", "note": "仓库盘点"}
    refused = merchant_client.post(f"{url}propose/", form)
    assert refused.status_code == 422
    assert "promised by" in text_of(refused)
    asked = merchant_client.post(f"{url}propose/", {**form, "end": "14:30"}, follow=True)
    assert "The agreed window stands until the other side agrees." in text_of(asked)
    assert "Take the proposal back" in text_of(asked)
    assert "1 request waits for your answer" in text_of(courier_client.get("/pickups/"))
    listed = text_of(courier_client.get("/pickups/", {"state": "to_answer"}))
    assert "to be moved" in listed
    page = courier_client.get(url)
    assert "仓库盘点" in text_of(page)
    assert "Keep the agreed window" in text_of(page)
    stale = courier_client.post(f"{url}agree/", {"window": "1-2"}, follow=True)
    assert "Another window was proposed since" in text_of(stale)
    key = {"window": page.context["window_key"]}
    assert "13:00–14:30" in text_of(courier_client.post(f"{url}agree/", key, follow=True))
    assert "Nothing matches" in text_of(courier_client.get("/pickups/", {"state": "to_answer"}))


def test_programs_of_both_sides_move_a_window(
    merchant_api: APIClient, courier_api: APIClient, nine: datetime, agreed: Pickup
) -> None:
    url = f"/api/v1/pickups/{public_id(IdKind.PICKUP, agreed.pk)}"
    moved = {name: at.isoformat() for name, at in window(nine, 3, 5).items()}
    assert pointers(
        merchant_api.post(f"{url}/propose", {**moved, "ends_at": nine.isoformat()}, format="json")
    )
    asked = merchant_api.post(f"{url}/propose", {**moved, "note": "Gate"}, format="json").json()
    assert (asked["state"], asked["proposed_by"], asked["proposal_note"]) == ("accepted", "merchant", "Gate")
    assert asked["window"] != asked["proposed"] == moved
    own = merchant_api.post(f"{url}/agree", moved, format="json")
    assert (own.status_code, own.json()["type"].rsplit(":", 1)[1]) == (409, "own_proposal")
    assert courier_api.post(f"{url}/keep", moved, format="json").json()["proposed"] is None
    merchant_api.post(f"{url}/propose", moved, format="json")
    agreed_on = courier_api.post(f"{url}/agree", moved, format="json").json()
    assert (agreed_on["window"], agreed_on["proposed_by"]) == (moved, None)


def test_missed_windows_are_listed_once_they_are_counted(
    merchant: Actor,
    courier: Actor,
    merchant_client: Client,
    courier_api: APIClient,
    booked: list[Parcel],
    nine: datetime,
    agreed: Pickup,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert count_missed(now=nine + 2 * HOUR) == 0
    for parcel in booked[:2]:
        scan(parcel, "picked_up", 2)
    now = nine + 4 * HOUR
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert count_missed(now=now) == 1
    assert count_missed(now=now) == 0
    page = merchant_client.get("/pickups/", {"missed": "true"})
    [view] = page.context["views"]
    assert (view.pickup.missed, view.progress.missed) == (1, 1)
    assert "Nothing matches" in text_of(merchant_client.get("/pickups/", {"missed": "false"}))
    [listed] = courier_api.get("/api/v1/pickups", {"is_missed": "true"}).json()["results"]
    assert listed["missed"] == 1
    assert courier_api.get("/api/v1/pickups", {"is_missed": "yes"}).status_code == 422
    # The scan of the last one arrives, of eleven o'clock: it is gone at once, and counted again later.
    scan(booked[2], "picked_up", 2)
    assert courier_api.get("/api/v1/pickups", {"is_missed": "true"}).json()["results"] == []
    assert count_missed_again(now=now) == 1
    with scope(Scope.of(merchant)):
        assert pickup_of(merchant, agreed.pk, now).pickup.missed == 0


def test_round_is_printed_with_its_stops(
    courier_client: Client, merchant_client: Client, nine: datetime, agreed: Pickup
) -> None:
    answer = courier_client.get("/pickups/round.pdf", {"day": agreed.day.isoformat()})
    assert answer["Content-Type"] == "application/pdf"
    text = pdf_text(answer.content)
    for word in ("10:00–12:00", "文三路90号", "Lotus Tea", "0571 8502 2088", "2.4 kg", "Page 1 of 1"):
        assert word in text
    assert "Nothing is agreed" in pdf_text(courier_client.get("/pickups/round.pdf?day=2026-01-01").content)
    assert courier_client.get("/pickups/round.pdf?day=x").status_code == 302
    assert courier_client.get("/pickups/round/?day=9999-12-31").status_code == 200
    assert merchant_client.get("/pickups/round.pdf").status_code == 403
