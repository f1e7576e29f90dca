"""The recipient changes the delivery day on the tracking page, with a proof of identity."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, TooMany
from alliance.identifiers import tracking_number
from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, RecipientProof
from parcels.revisions.rules import FREE, MANY, wait_after
from parcels.revisions.services import revise_for_recipient, revise_parcel
from slas.choices import RevisionParty
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Revision
from slas.revisions.services import RevisionRequest
from tests.parcels.helpers.parcel_views import scan, some_parcels, text_of
from tests.parcels.helpers.revisions import DIGITS, day, due_at, revisions_of
from tests.slas.helpers.offers import in_threads

pytestmark = pytest.mark.django_db


def ask(client: Client, parcel: Parcel, digits: str = DIGITS, ahead: int = 2, **values: str) -> Any:
    data = {"day": day(parcel, ahead).isoformat(), "digits": digits, **values}
    return client.post(f"/track/{parcel.number}/day/", data)


def days_on(page: Any) -> list[str]:
    return re.findall(r'type="radio"[^>]*value="([0-9-]+)"', page.content.decode())


def test_form_offers_the_next_days(parcel: Parcel, client: Client) -> None:
    page = client.get(f"/track/{parcel.number}/")
    assert "Change delivery day" in text_of(page)
    # Without JavaScript it is a link; with it, the form is fetched when opened.
    assert page.content.decode().count(f'"/track/{parcel.number}/day/') == 2
    assert days_on(page) == []
    response = client.get(f"/track/{parcel.number}/day/")
    assert days_on(response) == [day(parcel, ahead).isoformat() for ahead in range(1, 8)]
    assert re.search(r"<details[^>]* open", response.content.decode())


def test_form_requests_count_towards_the_tracking_limit(
    parcel: Parcel, client: Client, settings: Any
) -> None:
    settings.TRACKING_RATE_PER_MINUTE = 2
    door = f"/track/{parcel.number}/"
    assert [client.get(f"{door}{part}").status_code for part in ("", "day/", "day/")] == [200, 200, 429]


def test_missing_later_days_are_explained(
    parcel: Parcel, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.portal.tracking.days_for_recipient", lambda **_asked: [])
    page = client.get(f"/track/{parcel.number}/day/")
    assert "There is no later day to choose." in text_of(page)
    assert 'name="digits"' not in page.content.decode()


def test_recipient_moves_the_delivery(parcel: Parcel, client: Client) -> None:
    response = ask(client, parcel)
    # Redirect to the top, where the message is: without a fragment the form's would be kept.
    assert (response.status_code, response["Location"]) == (302, f"/track/{parcel.number}/#content")
    [revision] = revisions_of(parcel)
    assert (revision.requested_by, revision.judged, revision.agreed_by) == (
        RevisionParty.RECIPIENT,
        True,
        None,
    )
    assert due_at(parcel) == revision.due_at
    text = text_of(client.get(response["Location"]))
    assert "Delivery moved to " in text
    for phrase in ("Now promised by", "Changed from", "The recipient"):
        assert phrase in text
    with scope(Scope.everything()):
        assert AuditEntry.objects.get(verb="commitment.revised").actor_label == "recipient, tracking page"


@pytest.mark.parametrize("digits", ["５６７８", " 5678 ", "56 78"])
def test_digits_are_accepted_in_common_notations(parcel: Parcel, client: Client, digits: str) -> None:
    assert ask(client, parcel, digits).status_code == 302


@pytest.mark.parametrize("digits", ["", "567", "56789", "abcd", "5678x", "12a34"])
def test_invalid_digits_are_not_counted(parcel: Parcel, client: Client, digits: str) -> None:
    response = ask(client, parcel, digits)
    assert response.status_code == 422
    with scope(Scope.everything()):
        assert not RecipientProof.objects.filter(failed__gt=0).exists()
    assert revisions_of(parcel) == []


def test_wrong_digits_make_their_own_address_wait(parcel: Parcel, client: Client) -> None:
    for left in range(FREE - 1, 0, -1):
        response = ask(client, parcel, "0000")
        assert response.status_code == 422
        assert f"{left} attempt" in text_of(response)
    for digits in ("0000", DIGITS):
        response = ask(client, parcel, digits)
        assert response.status_code == 429
        assert "Try again in 1 min" in text_of(response)
        assert 'name="digits"' not in response.content.decode()
        assert 50 < int(response["Retry-After"]) <= 61
    assert revisions_of(parcel) == []
    # Nobody else waits for it.
    data = {"day": day(parcel).isoformat(), "digits": DIGITS}
    other = client.post(f"/track/{parcel.number}/day/", data, REMOTE_ADDR="203.0.113.9")
    assert other.status_code == 302
    with scope(Scope.everything()):
        proof = RecipientProof.objects.get()
    assert (proof.failed, [failed for failed, _last in proof.by_address.values()]) == (FREE, [FREE])
    assert "127.0.0.1" not in str(proof.by_address)


def test_the_wait_grows_and_new_addresses_of_many_have_one_try(parcel: Parcel) -> None:
    waits = [wait_after(failed, failed) // timedelta(minutes=1) for failed in range(3, 9)]
    assert waits == [0, 0, 1, 2, 4, 8]
    assert wait_after(99, 99) == timedelta(days=1)
    now = timezone.now()
    for number in range(MANY - 1):
        with pytest.raises(InvalidInput):
            guess(parcel, "0000", address=f"198.51.100.{number}", now=now)
    with pytest.raises(TooMany):
        guess(parcel, "0000", address="203.0.113.1", now=now)
    # The recipient still has a try.
    assert guess(parcel, DIGITS, address="203.0.113.2", now=now).judged


def guess(parcel: Parcel, digits: str, *, now: datetime, address: str = "") -> Revision:
    return revise_for_recipient(
        parcel_id=parcel.pk, digits=digits, address=address, asked=request_for(parcel), now=now
    )


def request_for(parcel: Parcel, ahead: int = 2) -> RevisionRequest:
    return RevisionRequest(day(parcel, ahead), RevisionParty.RECIPIENT)


def test_wrong_digits_are_reset_after_a_day(parcel: Parcel) -> None:
    now = timezone.now()
    for _attempt in range(FREE - 1):
        with pytest.raises(InvalidInput):
            guess(parcel, "0000", now=now)
    with pytest.raises(TooMany):
        guess(parcel, "0000", now=now)
    with pytest.raises(InvalidInput):
        guess(parcel, "0000", now=now + timedelta(hours=24))


@pytest.mark.usefixtures("in_one_minute")
def test_attempts_on_many_parcels_are_limited(
    merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    parcels = some_parcels(merchant_organisation, courier_organisation, count=12)
    answers = [ask(client, parcel, "0000").status_code for parcel in parcels]
    assert answers == [422] * 10 + [429] * 2
    # The rest of the minute, with some jitter.
    assert 40 <= int(ask(client, parcels[0], "0000")["Retry-After"]) <= 46


def test_parcel_without_a_phone_has_no_proof(
    merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, recipient_phone="")
    response = ask(client, parcel)
    assert response.status_code == 409
    assert "no phone number" in text_of(response)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(source="history")
    assert "Change delivery day" not in text_of(client.get(f"/track/{parcel.number}/"))


@pytest.mark.parametrize(
    ("values", "phrase"),
    [
        ({"day": ""}, "required"),
        ({"day": "soon"}, "valid date"),
        ({"day": "2016-01-01"}, "after the current one"),
        ({"day": "2084-01-01"}, "Choose a day no later than"),
    ],
)
def test_impossible_day_shows_an_error_and_the_open_form(
    parcel: Parcel, client: Client, values: dict[str, str], phrase: str
) -> None:
    response = ask(client, parcel, **values)
    assert response.status_code == 422
    assert phrase in text_of(response)
    assert re.search(r"<details[^>]* open", response.content.decode())


def test_recipient_can_revise_twice(parcel: Parcel, client: Client) -> None:
    assert ask(client, parcel, ahead=1).status_code == 302
    assert ask(client, parcel, ahead=2).status_code == 302
    page = client.get(f"/track/{parcel.number}/")
    assert "The delivery day was already changed 2 times" in text_of(page)
    assert 'name="digits"' not in page.content.decode()
    response = ask(client, parcel, ahead=3)
    assert response.status_code == 409
    assert "already changed 2 times" in text_of(response)


@pytest.mark.parametrize("reason", ["", "consignee_absent", "courier_vehicle"])
def test_late_or_attempted_parcel_can_be_moved_and_keeps_its_outcome(
    reason: str, merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    if reason:
        scan(parcel, "attempt_failed", 39, reason=reason)
    with scope(Scope.everything()):
        sweep_overdue(now=timezone.now())
    assert "Change delivery day" in text_of(client.get(f"/track/{parcel.number}/"))
    assert ask(client, parcel).status_code == 302
    [revision] = revisions_of(parcel)
    assert (revision.judged, due_at(parcel)) == (False, parcel.deliver_by)


def test_parcel_in_a_locker_cannot_be_moved(parcel: Parcel, client: Client) -> None:
    scan(parcel, "available_for_pickup", 1, consent=True)
    assert "Change delivery day" not in text_of(client.get(f"/track/{parcel.number}/"))
    assert ask(client, parcel).status_code == 409


@pytest.mark.parametrize("code", ["delivered", "return_started", "lost"])
def test_delivered_returning_and_lost_parcels_cannot_be_moved(
    parcel: Parcel, client: Client, merchant: Actor, code: str
) -> None:
    scan(parcel, code, 1)
    assert "Change delivery day" not in text_of(client.get(f"/track/{parcel.number}/"))
    assert ask(client, parcel).status_code == 409
    revision_request = RevisionRequest(day(parcel), RevisionParty.MERCHANT, "Sold out")
    with pytest.raises(Conflict), scope(Scope.of(merchant)):
        revise_parcel(actor=merchant, parcel_id=parcel.pk, asked=revision_request, now=timezone.now())


def test_unknown_number_gets_the_same_answer_as_the_page(client: Client) -> None:
    data = {"day": "2026-12-01", "digits": DIGITS}
    assert client.post(f"/track/{tracking_number(9)}/day/", data).status_code == 404
    assert client.post("/track/CA1/day/", data).status_code == 404
    assert client.get(f"/track/{tracking_number(9)}/day/").status_code == 404


def test_get_of_a_refused_forms_url_shows_a_page(
    client: Client, merchant_client: Client, parcel: Parcel
) -> None:
    """A change of language there requests the URL by GET."""
    assert client.get(f"/track/{parcel.number}/day/").status_code == 200
    assert (
        merchant_client.get(f"/parcels/{parcel.number}/revise/")["Location"] == f"/parcels/{parcel.number}/"
    )


def test_form_requires_the_csrf_token(parcel: Parcel) -> None:
    assert ask(Client(enforce_csrf_checks=True), parcel).status_code == 403
    assert revisions_of(parcel) == []


def test_page_with_form_has_no_personal_data(parcel: Parcel, client: Client) -> None:
    ask(client, parcel, "0000")
    for response in (client.get(f"/track/{parcel.number}/"), ask(client, parcel, "1111")):
        for private in (parcel.recipient_name, "1234 5678", DIGITS, parcel.recipient_address):
            assert private not in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_concurrent_guesses_are_all_counted(
    merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation)

    def attempt(number: int) -> Any:
        try:
            return guess(parcel, f"{number:04}", now=now)
        except (InvalidInput, TooMany) as error:
            return error.reason

    now = timezone.now()
    answers = in_threads(attempt, 12)
    # The last free answer is told to wait, as are all after it.
    assert answers.count("too_many_attempts") == 12 - (FREE - 1)
    with scope(Scope.everything()):
        assert RecipientProof.objects.get().failed == FREE
