"""A recipient asks for a return on the tracking page, and the merchant decides."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput
from alliance.models import AuditEntry, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel, RecipientProof, ReturnRequest
from parcels.retention.erasing import erase_due
from parcels.returns.services.issuing import ReturnOrder, issue_return
from parcels.returns.services.requests import Proof, decline_request, withdraw_request
from tests.parcels.helpers.parcel_views import scan, some_parcels, text_of
from tests.parcels.helpers.returns import again, allowed, asked, issued, parcel_of, request_for
from tests.parcels.helpers.revisions import DIGITS
from tests.slas.helpers.offers import in_threads

pytestmark = pytest.mark.django_db


def send(client: Client, parcel: Parcel, action: str, digits: str = DIGITS, **data: str) -> Any:
    return client.post(f"/track/{parcel.number}/return/", {"action": action, "digits": digits, **data})


def card(client: Client, parcel: Parcel) -> str:
    return text_of(client.get(f"/track/{parcel.number}/return/"))


def test_form_is_there_only_where_the_merchant_allows_it(
    merchant: Actor, delivered: Parcel, client: Client
) -> None:
    door = f"/track/{delivered.number}/"
    assert "Return this parcel" not in text_of(client.get(door))
    assert "This shop takes no requests here" in card(client, delivered)
    refused = send(client, delivered, "ask", reason="size")
    assert (refused.status_code, request_for(delivered)) == (409, None)
    allowed(merchant, note="We pay for it.")
    assert "Return this parcel" in text_of(client.get(door))
    page = card(client, delivered)
    assert "We pay for it." in page
    assert "Does not fit" in page
    # Not one of those that the merchant offers.
    assert "Wrong item" not in page


def test_recipient_asks_and_reads_the_state(merchant: Actor, delivered: Parcel, client: Client) -> None:
    allowed(merchant)
    note = "太小了，想换大一号 138-0000"
    answer = send(client, delivered, "ask", reason="size", note=note)
    assert answer.status_code == 302
    found = request_for(delivered)
    assert found is not None
    assert (found.state, found.reason, found.note) == ("requested", "size", note)
    page = card(client, delivered)
    assert "The shop has not decided yet" in page
    # The recipient's words are for the shop alone.
    assert "太小了" not in page
    # Asking again changes nothing.
    assert send(client, delivered, "ask", reason="other").status_code == 302
    with scope(Scope.everything()):
        assert ReturnRequest.objects.get().reason == "size"
        assert Event.objects.filter(topic="return.requested").count() == 1
        entry = AuditEntry.objects.get(verb="return.requested")
    assert entry.actor_label == "recipient, tracking page"
    assert note not in str(entry.detail)


def test_wrong_digits_are_counted_and_tell_nothing(
    merchant: Actor, delivered: Parcel, client: Client
) -> None:
    allowed(merchant)
    answer = send(client, delivered, "ask", digits="0000", reason="size")
    assert answer.status_code == 422
    assert "4 attempts are left" in text_of(answer)
    with scope(Scope.everything()):
        assert RecipientProof.objects.get(parcel_id=delivered.pk).failed == 1
    for _attempt in range(4):
        answer = send(client, delivered, "label", digits="0000")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 50
    assert request_for(delivered) is None


@pytest.mark.parametrize(
    ("values", "pointer"), [({"reason": "wrong_item"}, "/reason"), ({"note": "x" * 301}, "/note")]
)
def test_wrong_input_is_named(
    merchant: Actor, delivered: Parcel, values: dict[str, str], pointer: str
) -> None:
    allowed(merchant)
    with pytest.raises(InvalidInput) as refused:
        asked(delivered, **values)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_days_after_delivery_are_limited(merchant: Actor, delivered: Parcel) -> None:
    allowed(merchant, window_days=1)
    with scope(Scope.everything()):
        ago = timezone.now() - timedelta(days=1, minutes=1)
        Parcel.objects.filter(pk=delivered.pk).update(delivered_at=ago)
    with pytest.raises(Conflict) as refused:
        asked(delivered)
    assert refused.value.reason == "too_late"


def test_parcel_under_way_is_not_asked_for(
    merchant: Actor, merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    allowed(merchant)
    [parcel] = some_parcels(merchant_organisation, courier_organisation)
    assert "Return this parcel" not in text_of(client.get(f"/track/{parcel.number}/"))
    with pytest.raises(Conflict) as refused:
        asked(parcel)
    assert refused.value.reason == "not_returnable"


def test_withdrawn_request_may_be_made_again(merchant: Actor, delivered: Parcel, client: Client) -> None:
    allowed(merchant)
    asked(delivered, note="too small")
    for _again in range(2):
        assert send(client, delivered, "withdraw").status_code == 302
    found = request_for(delivered)
    assert found is not None
    assert (found.state, found.note) == ("withdrawn", "")
    with pytest.raises(Conflict) as refused, scope(Scope.of(merchant)):
        decline_request(actor=merchant, parcel_id=delivered.pk, answer="No", now=timezone.now())
    assert refused.value.reason == "decided"
    assert asked(delivered, reason="other").state == "requested"


def test_declined_request_tells_why_and_stays_declined(
    merchant: Actor, delivered: Parcel, client: Client
) -> None:
    allowed(merchant)
    asked(delivered)
    with scope(Scope.of(merchant)):
        for answer in ("It has been worn.", "Another reason"):
            decline_request(actor=merchant, parcel_id=delivered.pk, answer=answer, now=timezone.now())
    assert "Its reason: It has been worn." in card(client, delivered)
    with pytest.raises(Conflict) as refused:
        asked(delivered)
    assert refused.value.reason == "declined"
    with scope(Scope.everything()):
        assert Event.objects.filter(topic="return.declined").count() == 1


def test_merchant_that_changes_its_mind_issues_the_return(
    merchant: Actor, delivered: Parcel, client: Client
) -> None:
    allowed(merchant)
    asked(delivered)
    with scope(Scope.of(merchant)):
        decline_request(actor=merchant, parcel_id=delivered.pk, answer="Worn", now=timezone.now())
    issued(merchant, delivered)
    found = request_for(delivered)
    assert found is not None
    assert (found.state, found.answer) == ("approved", "")
    assert "a courier collects it" in card(client, delivered)


@pytest.mark.parametrize("action", ["withdraw", "decline"])
def test_approving_what_was_taken_back_books_nothing(
    merchant: Actor, delivered: Parcel, client: Client, action: str
) -> None:
    allowed(merchant)
    asked(delivered)
    if action == "withdraw":
        send(client, delivered, "withdraw")
    else:
        with scope(Scope.of(merchant)):
            decline_request(actor=merchant, parcel_id=delivered.pk, answer="Worn", now=timezone.now())
    with pytest.raises(Conflict) as refused, scope(Scope.of(merchant)):
        issue_return(
            actor=merchant,
            parcel_id=delivered.pk,
            order=ReturnOrder("next_day"),
            at=timezone.now(),
            is_asked=True,
        )
    assert refused.value.reason == "decided"
    with scope(Scope.everything()):
        assert not Parcel.objects.filter(return_of_id=delivered.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_of_withdrawing_and_approving_at_once_one_counts(merchant: Actor, delivered: Parcel) -> None:
    allowed(merchant)
    asked(delivered)
    proof = Proof(DIGITS, "203.0.113.7")

    def work(number: int) -> Any:
        if number % 2:
            return withdraw_request(parcel_id=delivered.pk, proof=proof, now=timezone.now())
        with scope(Scope.of(merchant)):
            return issue_return(
                actor=merchant,
                parcel_id=delivered.pk,
                order=ReturnOrder("next_day"),
                at=timezone.now(),
                is_asked=True,
            )

    results = in_threads(work, 4)
    booked = [result for result in results if isinstance(result, Booked)]
    found = request_for(delivered)
    assert found is not None
    assert (found.state, len(booked)) in {("withdrawn", 0), ("approved", 1)}
    with scope(Scope.everything()):
        assert Parcel.objects.filter(return_of_id=delivered.pk).count() == len(booked)


def test_issuing_approves_and_the_recipient_fetches_the_label(
    merchant: Actor, delivered: Parcel, client: Client
) -> None:
    allowed(merchant)
    asked(delivered)
    assert send(client, delivered, "label").status_code == 409
    booked = issued(merchant, delivered)
    found = request_for(delivered)
    assert found is not None
    assert (found.state, found.decided_by_id) == ("approved", merchant.user_id)
    # Both pages lead to each other.
    assert booked.number in text_of(client.get(f"/track/{delivered.number}/"))
    assert delivered.number in text_of(client.get(f"/track/{booked.number}/"))
    label = send(client, delivered, "label")
    assert (label.status_code, label["Content-Type"]) == (200, "application/pdf")
    assert label.content.startswith(b"%PDF")
    assert b"13812345678" not in label.content
    scan(parcel_of(booked.number), "picked_up", 1)
    assert send(client, delivered, "label").status_code == 409
    assert "on its way back" in card(client, delivered)


def test_cancelled_return_is_told(merchant: Actor, delivered: Parcel, client: Client) -> None:
    allowed(merchant)
    asked(delivered)
    booked = issued(merchant, delivered)
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=booked.parcel_id, at=timezone.now())
    assert "has cancelled the return since" in card(client, delivered)
    assert send(client, delivered, "label").status_code == 409
    assert "The return of this parcel was cancelled" in text_of(client.get(f"/track/{delivered.number}/"))
    assert "It was to bring back" in text_of(client.get(f"/track/{booked.number}/"))
    # It may be asked for once more, and approved once more.
    assert send(client, delivered, "ask", reason="size").status_code == 302
    assert asked(delivered).state == "requested"
    second = issued(merchant, delivered)
    assert second.number in text_of(client.get(f"/track/{delivered.number}/"))
    assert send(client, delivered, "label").status_code == 200


def test_texts_of_a_request_are_erased_with_the_recipient(merchant: Actor, delivered: Parcel) -> None:
    allowed(merchant)
    asked(delivered, note="ring at Li's")
    with scope(Scope.of(merchant)):
        decline_request(actor=merchant, parcel_id=delivered.pk, answer="Dear Li, no", now=timezone.now())
    erase_due(now=timezone.now() + timedelta(days=91))
    assert again(delivered).erased_at
    found = request_for(delivered)
    assert found is not None
    assert (found.note, found.answer, found.state) == ("", "", "declined")
    # What is written afterwards goes later.
    with scope(Scope.everything()):
        ReturnRequest.objects.update(answer="Li again", decided_at=timezone.now() + timedelta(days=91))
    erase_due(now=timezone.now() + timedelta(days=182))
    found = request_for(delivered)
    assert found is not None
    assert found.answer == ""
