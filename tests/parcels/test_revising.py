"""Another day for a delivery at its doors: the tracking page with its proof, the parcel's page, the API."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.choices import Role
from alliance.errors import Conflict, InvalidInput, TooMany
from alliance.identifiers import tracking_number
from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, RecipientProof
from parcels.services.revising import MOST_WRONG, revise_for_recipient, revise_parcel
from slas.choices import RevisionParty
from slas.clocks import local_clock
from slas.models import Commitment, Revision
from slas.services.revisions import RevisionRequest
from slas.services.sweeping import sweep_overdue
from tests.parcels.looking import client_of, scan, some_parcels, text_of
from tests.slas.offering import in_threads

pytestmark = pytest.mark.django_db
# The end of looking.RECIPIENT's phone number.
DIGITS = "5678"
ZONE = "Asia/Shanghai"


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    [made] = some_parcels(merchant_organisation, courier_organisation)
    return made


def day(parcel: Parcel, ahead: int = 2) -> date:
    """A day so long after the promised one."""
    return local_clock(parcel.deliver_by, ZONE).date() + timedelta(days=ahead)


def revisions_of(parcel: Parcel) -> list[Revision]:
    with scope(Scope.everything()):
        return list(Revision.objects.filter(parcel_id=parcel.pk).order_by("pk"))


def due_at(parcel: Parcel) -> Any:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel.pk, kind="delivery").due_at


def ask(client: Client, parcel: Parcel, digits: str = DIGITS, ahead: int = 2, **given: str) -> Any:
    data = {"day": day(parcel, ahead).isoformat(), "digits": digits, **given}
    return client.post(f"/track/{parcel.number}/day/", data)


# --- the recipient, on the tracking page ---------------------------------------------------------


def test_the_page_offers_the_next_days(parcel: Parcel, client: Client) -> None:
    page = client.get(f"/track/{parcel.number}/")
    assert "Another day suits me better" in text_of(page)
    offered = re.findall(r'type="radio"[^>]*value="([0-9-]+)"', page.content.decode())
    assert offered == [day(parcel, ahead).isoformat() for ahead in range(1, 8)]


def test_the_recipient_moves_the_delivery(parcel: Parcel, client: Client) -> None:
    response = ask(client, parcel)
    # To the top, where it is said: without a fragment a redirect keeps the form's, far below.
    assert (response.status_code, response["Location"]) == (302, f"/track/{parcel.number}/#content")
    [revision] = revisions_of(parcel)
    assert (revision.requested_by, revision.judged, revision.agreed_by) == (
        RevisionParty.RECIPIENT,
        True,
        None,
    )
    assert due_at(parcel) == revision.due_at
    text = text_of(client.get(response["Location"]))
    assert "Your parcel comes on the day you chose." in text
    for said in ("Now promised by", "First promised by", "Agreed on now", "The recipient"):
        assert said in text
    with scope(Scope.everything()):
        assert AuditEntry.objects.get(verb="commitment.revised").actor_label == "recipient, tracking page"


@pytest.mark.parametrize("digits", ["５６７８", " 5678 ", "56 78"])
def test_digits_are_read_as_people_type_them(parcel: Parcel, client: Client, digits: str) -> None:
    assert ask(client, parcel, digits).status_code == 302


@pytest.mark.parametrize("digits", ["", "567", "56789", "abcd", "5678x", "12a34"])
def test_what_cannot_be_the_digits_is_no_attempt(parcel: Parcel, client: Client, digits: str) -> None:
    response = ask(client, parcel, digits)
    assert response.status_code == 422
    with scope(Scope.everything()):
        assert not RecipientProof.objects.filter(failed__gt=0).exists()
    assert revisions_of(parcel) == []


def test_wrong_digits_are_told_and_counted_and_end(parcel: Parcel, client: Client) -> None:
    for left in range(MOST_WRONG - 1, -1, -1):
        response = ask(client, parcel, "0000")
        assert response.status_code == 422
        assert f"{left} attempt" in text_of(response)
    for digits in ("0000", DIGITS):
        response = ask(client, parcel, digits)
        assert response.status_code == 429
        assert "too often" in text_of(response)
        assert 23 * 3600 < int(response["Retry-After"]) <= 24 * 3600
    assert revisions_of(parcel) == []
    with scope(Scope.everything()):
        assert RecipientProof.objects.get().failed == MOST_WRONG


def request_for(parcel: Parcel, ahead: int = 2) -> RevisionRequest:
    return RevisionRequest(day(parcel, ahead), RevisionParty.RECIPIENT)


def test_wrong_digits_are_forgotten_after_a_day(parcel: Parcel) -> None:
    now = timezone.now()
    given: dict[str, Any] = {"parcel_id": parcel.pk, "asked": request_for(parcel)}
    for _attempt in range(MOST_WRONG):
        with pytest.raises(InvalidInput):
            revise_for_recipient(digits="0000", now=now, **given)
    with pytest.raises(TooMany) as refused:
        revise_for_recipient(digits=DIGITS, now=now + timedelta(hours=23), **given)
    assert 3600 <= (refused.value.retry_after or 0) <= 3601
    assert revise_for_recipient(digits=DIGITS, now=now + timedelta(hours=24), **given).judged


@pytest.mark.usefixtures("in_one_minute")
def test_who_tries_many_parcels_is_stopped(
    merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    parcels = some_parcels(merchant_organisation, courier_organisation, count=12)
    answers = [ask(client, parcel, "0000").status_code for parcel in parcels]
    assert answers == [422] * 10 + [429] * 2
    # The rest of the minute, and a little by chance.
    assert 40 <= int(ask(client, parcels[0], "0000")["Retry-After"]) <= 46


def test_a_parcel_without_a_phone_cannot_be_proved(
    merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, recipient_phone="")
    response = ask(client, parcel)
    assert response.status_code == 409
    assert "no phone number" in text_of(response)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(source="history")
    assert "Another day" not in text_of(client.get(f"/track/{parcel.number}/"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"day": ""}, "required"),
        ({"day": "soon"}, "valid date"),
        ({"day": "2016-01-01"}, "after the one agreed on"),
        ({"day": "2084-01-01"}, "Choose a day until"),
    ],
)
def test_a_day_that_cannot_be_is_told_and_the_form_stays_open(
    parcel: Parcel, client: Client, given: dict[str, str], said: str
) -> None:
    response = ask(client, parcel, **given)
    assert response.status_code == 422
    assert said in text_of(response)
    assert re.search(r"<details[^>]* open", response.content.decode())


def test_a_recipient_asks_twice_and_no_more(parcel: Parcel, client: Client) -> None:
    assert ask(client, parcel, ahead=1).status_code == 302
    assert ask(client, parcel, ahead=2).status_code == 302
    page = client.get(f"/track/{parcel.number}/")
    assert "Another day was asked for 2 times already" in text_of(page)
    assert 'name="digits"' not in page.content.decode()
    response = ask(client, parcel, ahead=3)
    assert response.status_code == 409
    assert "2 times already" in text_of(response)


def test_once_it_is_late_the_page_offers_nothing_and_a_wish_is_refused(
    merchant_organisation: Organisation, courier_organisation: Organisation, client: Client
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    assert "Another day" not in text_of(client.get(f"/track/{parcel.number}/"))
    response = ask(client, parcel)
    assert response.status_code == 409
    assert "cannot undo the lateness" in text_of(response)
    with scope(Scope.everything()):
        sweep_overdue(now=timezone.now())
    assert ask(client, parcel).status_code == 409


@pytest.mark.parametrize("code", ["delivered", "return_started", "lost"])
def test_what_has_come_or_goes_back_is_not_moved(
    parcel: Parcel, client: Client, merchant: Actor, code: str
) -> None:
    scan(parcel, code, 1)
    assert "Another day" not in text_of(client.get(f"/track/{parcel.number}/"))
    assert ask(client, parcel).status_code == 409
    asked = RevisionRequest(day(parcel), RevisionParty.MERCHANT, "Sold out")
    with pytest.raises(Conflict), scope(Scope.of(merchant)):
        revise_parcel(actor=merchant, parcel_id=parcel.pk, asked=asked, now=timezone.now())


def test_an_unknown_number_is_answered_like_on_the_page(client: Client) -> None:
    data = {"day": "2026-12-01", "digits": DIGITS}
    assert client.post(f"/track/{tracking_number(9)}/day/", data).status_code == 404
    assert client.post("/track/CA1/day/", data).status_code == 404


def test_the_address_of_a_refused_form_leads_back_to_the_page(
    client: Client, merchant_client: Client, parcel: Parcel
) -> None:
    """Choosing a language, there, opens the address anew."""
    assert client.get(f"/track/{parcel.number}/day/")["Location"] == f"/track/{parcel.number}/"
    assert (
        merchant_client.get(f"/parcels/{parcel.number}/revise/")["Location"] == f"/parcels/{parcel.number}/"
    )


def test_the_form_needs_its_token(parcel: Parcel) -> None:
    assert ask(Client(enforce_csrf_checks=True), parcel).status_code == 403
    assert revisions_of(parcel) == []


def test_the_page_still_names_no_recipient(parcel: Parcel, client: Client) -> None:
    ask(client, parcel, "0000")
    for response in (client.get(f"/track/{parcel.number}/"), ask(client, parcel, "1111")):
        for private in (parcel.recipient_name, "1234 5678", DIGITS, parcel.recipient_address):
            assert private not in response.content.decode()


# --- the merchant, on the parcel's page ----------------------------------------------------------


def write(client: Client, parcel: Parcel, **given: Any) -> Any:
    data = {"day": day(parcel).isoformat(), "requested_by": "merchant", "reason": "Sold out", **given}
    return client.post(f"/parcels/{parcel.number}/revise/", data)


def test_the_merchant_writes_another_day_down(parcel: Parcel, merchant_client: Client) -> None:
    page = merchant_client.get(f"/parcels/{parcel.number}/")
    assert "Write down the new day" in text_of(page)
    assert write(merchant_client, parcel).status_code == 302
    text = text_of(merchant_client.get(f"/parcels/{parcel.number}/"))
    for said in ("First promised by", "Agreed on now", "The merchant", "“Sold out”", "Recorded only"):
        assert said in text
    assert "merchant@alliance.example" in text
    assert due_at(parcel) == parcel.deliver_by


def test_the_merchant_is_told_why_there_is_no_form_any_more(parcel: Parcel, merchant_client: Client) -> None:
    actor = Actor.system("test")
    moves = [RevisionParty.RECIPIENT] * 2 + [RevisionParty.MERCHANT] * 5
    with scope(Scope.everything()):
        for ahead, party in enumerate(moves, start=1):
            asked = RevisionRequest(day(parcel, ahead), party, "Sold out")
            revise_parcel(actor=actor, parcel_id=parcel.pk, asked=asked, now=timezone.now())
    page = merchant_client.get(f"/parcels/{parcel.number}/")
    assert "Another day was asked for 5 times already" in text_of(page)
    assert 'name="requested_by"' not in page.content.decode()


def test_courier_and_public_read_it_without_the_members_name(
    parcel: Parcel, merchant_client: Client, courier_client: Client, client: Client
) -> None:
    write(merchant_client, parcel, requested_by="recipient", reason="Away")
    for reader, path in ((courier_client, "parcels"), (client, "track")):
        text = text_of(reader.get(f"/{path}/{parcel.number}/"))
        assert "The recipient, through the merchant" in text
        assert "“Away”" in text
        assert "On time is judged by this day." in text
        assert "merchant@alliance.example" not in text


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"day": ""}, 422, "required"),
        ({"day": "2016-01-01"}, 422, "after the one agreed on"),
        ({"requested_by": "courier"}, 422, "valid choice"),
        ({"reason": ""}, 422, "Say why"),
        ({"reason": "Ask 13812345678"}, 422, "Leave numbers of phones out"),
    ],
)
def test_the_merchant_is_told_what_is_wrong(
    parcel: Parcel, merchant_client: Client, given: dict[str, str], status: int, said: str
) -> None:
    response = write(merchant_client, parcel, **given)
    assert response.status_code == status
    assert said in text_of(response)
    assert revisions_of(parcel) == []


def test_too_late_is_told_on_the_page(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant_client: Client
) -> None:
    [late] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    response = write(merchant_client, late, requested_by="recipient")
    assert response.status_code == 409
    assert "cannot undo the lateness" in text_of(response)
    assert write(merchant_client, late).status_code == 302


def test_the_courier_has_no_form_and_is_refused(parcel: Parcel, courier_client: Client) -> None:
    assert "Write down the new day" not in text_of(courier_client.get(f"/parcels/{parcel.number}/"))
    assert write(courier_client, parcel).status_code == 403
    assert revisions_of(parcel) == []


def test_viewers_and_strangers_write_none(
    parcel: Parcel, merchant_organisation: Organisation, rival_merchant: Organisation
) -> None:
    viewer, stranger = client_of(merchant_organisation, Role.VIEWER), client_of(rival_merchant, Role.OWNER)
    assert "Write down the new day" not in text_of(viewer.get(f"/parcels/{parcel.number}/"))
    assert (write(viewer, parcel).status_code, write(stranger, parcel).status_code) == (403, 404)


def test_ops_write_one_in_the_admin(parcel: Parcel, ops_client: Client) -> None:
    data = {
        "number": parcel.number,
        "day": day(parcel).isoformat(),
        "requested_by": "recipient",
        "reason": "",
    }
    wrong = ops_client.post("/admin/slas/revision/add/", {**data, "number": "CA1"})
    assert wrong.status_code == 422
    past = ops_client.post("/admin/slas/revision/add/", {**data, "day": "2016-01-01"})
    assert "after the one agreed on" in text_of(past)
    assert ops_client.post("/admin/slas/revision/add/", data).status_code == 302
    [revision] = revisions_of(parcel)
    assert revision.label == "ops@alliance.example"
    listed = text_of(ops_client.get(f"/admin/slas/revision/?q={parcel.number}"))
    assert parcel.number in listed
    assert ops_client.post(f"/admin/slas/revision/{revision.pk}/delete/", {"post": "yes"}).status_code == 403


# --- the API -------------------------------------------------------------------------------------


def send(api: APIClient, parcel: Parcel, **given: Any) -> Any:
    body = {"day": day(parcel).isoformat(), "requested_by": "merchant", "reason": "Sold out"}
    headers = {"HTTP_IDEMPOTENCY_KEY": given.pop("key")} if "key" in given else {}
    return api.post(f"/api/v1/parcels/{parcel.number}/revisions", {**body, **given}, **headers)


def test_the_api_moves_a_delivery_and_tells_both_days(parcel: Parcel, merchant_api: APIClient) -> None:
    before = merchant_api.get(f"/api/v1/parcels/{parcel.number}/revisions").json()
    assert before["revisions"] == []
    assert before["revised_due_at"] is None
    assert before["possible_days"][0]["day"] == day(parcel, 1).isoformat()
    response = send(merchant_api, parcel, requested_by="recipient")
    assert response.status_code == 201
    answer = response.json()
    [revision] = answer["revisions"]
    assert answer["original_due_at"] == before["due_at"] == revision["previous_due_at"]
    assert answer["due_at"] == answer["revised_due_at"] == revision["due_at"]
    assert revision["due_at"].startswith(day(parcel).isoformat())
    assert (revision["requested_by"], revision["judged"]) == ("recipient", True)
    public = APIClient().get(f"/api/v1/tracking/{parcel.number}").json()["promise"]
    assert (public["deliver_by"], public["original_deliver_by"]) == (answer["due_at"], before["due_at"])
    assert public["revisions"] == answer["revisions"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"day": None}, "/day"),
        ({"day": "2016-01-01"}, "/day"),
        ({"day": "2026-11-31"}, "/day"),
        ({"requested_by": "courier"}, "/requested_by"),
        ({"reason": ""}, "/reason"),
        ({"reason": "a\nb"}, "/reason"),
        ({"because": "x"}, "/because"),
    ],
)
def test_the_api_says_where_a_revision_is_wrong(
    parcel: Parcel, merchant_api: APIClient, given: dict[str, Any], pointer: str
) -> None:
    response = send(merchant_api, parcel, **given)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert revisions_of(parcel) == []


def test_the_same_key_moves_it_once(parcel: Parcel, merchant_api: APIClient) -> None:
    first, again = (send(merchant_api, parcel, key="k") for _time in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert len(revisions_of(parcel)) == 1
    assert send(merchant_api, parcel, key="k", reason="Another").status_code == 422


def test_a_courier_who_tries_is_refused(parcel: Parcel, courier_api: APIClient) -> None:
    assert send(courier_api, parcel).status_code == 403
    answer = courier_api.get(f"/api/v1/parcels/{parcel.number}/revisions")
    assert (answer.status_code, answer.json()["possible_days"]) == (200, [])


def test_refusals_by_state_have_their_codes(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant_api: APIClient
) -> None:
    [late] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    response = send(merchant_api, late, requested_by="recipient")
    assert (response.status_code, response.json()["type"]) == (409, "urn:alliance:problem:past_due")
    scan(late, "delivered", 39)
    response = send(merchant_api, late)
    assert (response.status_code, response.json()["type"]) == (409, "urn:alliance:problem:settled")


@pytest.mark.parametrize("method", ["get", "post"])
def test_somebody_elses_parcel_is_not_there(
    parcel: Parcel, merchant_api: APIClient, rival_merchant: Organisation, rival_courier: Organisation,
    method: str,
) -> None:  # fmt: skip
    [theirs] = some_parcels(rival_merchant, rival_courier)
    call: Callable[..., Any] = getattr(merchant_api, method)
    for number in (theirs.number, "CA1", tracking_number(9)):
        assert (
            call(f"/api/v1/parcels/{number}/revisions", {} if method == "post" else None).status_code == 404
        )


def test_unknown_parameters_are_refused(parcel: Parcel, merchant_api: APIClient) -> None:
    response = merchant_api.get(f"/api/v1/parcels/{parcel.number}/revisions", {"sort": "day"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/sort")


# --- races ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_are_counted_one_by_one(
    merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation)

    def guess(number: int) -> Any:
        try:
            return revise_for_recipient(
                parcel_id=parcel.pk, digits=f"{number:04}", asked=request_for(parcel), now=timezone.now()
            )
        except InvalidInput:
            return "wrong"

    answers = in_threads(guess, 12)
    assert answers.count("wrong") == MOST_WRONG
    assert sum(isinstance(answer, TooMany) for answer in answers) == 12 - MOST_WRONG
