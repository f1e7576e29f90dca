"""Revisions of a delivery by the merchant on the parcel's page, and by ops in the admin."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.revisions.services import revise_parcel
from slas.choices import RevisionParty
from slas.revisions.services import RevisionRequest
from tests.parcels.helpers.parcel_views import client_of, scan, some_parcels, text_of
from tests.parcels.helpers.revisions import day, due_at, revisions_of

pytestmark = pytest.mark.django_db


def write(client: Client, parcel: Parcel, **values: Any) -> Any:
    data = {"day": day(parcel).isoformat(), "reason": "Sold out", **values}
    return client.post(f"/parcels/{parcel.number}/revise/", data)


def test_merchant_records_another_day(parcel: Parcel, merchant_client: Client) -> None:
    page = merchant_client.get(f"/parcels/{parcel.number}/")
    assert "Change date" in text_of(page)
    assert write(merchant_client, parcel).status_code == 302
    text = text_of(merchant_client.get(f"/parcels/{parcel.number}/"))
    for phrase in ("Originally promised by", "New date", "The merchant", "“Sold out”", "judged by this date"):
        assert phrase in text
    assert "merchant@alliance.example" in text
    assert due_at(parcel) > parcel.deliver_by


def test_merchant_sees_why_there_is_no_form(parcel: Parcel, merchant_client: Client) -> None:
    actor = Actor.system("test")
    with scope(Scope.everything()):
        for ahead in range(1, 6):
            revision_request = RevisionRequest(day(parcel, ahead), RevisionParty.MERCHANT, "Sold out")
            revise_parcel(actor=actor, parcel_id=parcel.pk, asked=revision_request, now=timezone.now())
    page = merchant_client.get(f"/parcels/{parcel.number}/")
    assert "The delivery day was already changed 5 times" in text_of(page)
    assert 'name="day"' not in page.content.decode()


def test_courier_and_public_do_not_see_the_members_name(
    parcel: Parcel, merchant_client: Client, courier_client: Client, client: Client
) -> None:
    write(merchant_client, parcel, reason="Ms Li is away at the weekend")
    for reader, path in ((courier_client, "parcels"), (client, "track")):
        text = text_of(reader.get(f"/{path}/{parcel.number}/"))
        assert ("The merchant" if path == "parcels" else "The shop") in text
        # What people wrote is for the parties.
        assert ("Ms Li is away at the weekend" in text) == (path == "parcels")
        # What couriers are judged by is not for recipients.
        assert ("On time is judged by this date." in text) == (path == "parcels")
        assert "merchant@alliance.example" not in text


@pytest.mark.parametrize(
    ("values", "status", "phrase"),
    [
        ({"day": ""}, 422, "required"),
        ({"day": "2016-01-01"}, 422, "after the current one"),
        ({"reason": ""}, 422, "Enter a reason"),
        ({"reason": "Ask 13812345678"}, 422, "Leave out phone numbers"),
    ],
)
def test_merchant_sees_form_errors(
    parcel: Parcel, merchant_client: Client, values: dict[str, str], status: int, phrase: str
) -> None:
    response = write(merchant_client, parcel, **values)
    assert response.status_code == status
    assert phrase in text_of(response)
    assert revisions_of(parcel) == []


def test_merchant_cannot_speak_for_the_recipient(parcel: Parcel, merchant_client: Client) -> None:
    page = merchant_client.get(f"/parcels/{parcel.number}/")
    assert 'name="requested_by"' not in page.content.decode()
    write(merchant_client, parcel, requested_by="recipient")
    [revision] = revisions_of(parcel)
    assert revision.requested_by == RevisionParty.MERCHANT


def test_message_names_the_day(parcel: Parcel, merchant_client: Client) -> None:
    page = merchant_client.get(write(merchant_client, parcel)["Location"])
    assert f"Delivery moved to {day(parcel):%-d %b}." in text_of(page)


def test_revision_of_a_delivered_parcel_shows_an_error(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant_client: Client
) -> None:
    [late] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    assert write(merchant_client, late).status_code == 302
    scan(late, "delivered", 39)
    response = write(merchant_client, late)
    assert response.status_code == 409
    assert "there is no delivery to reschedule" in text_of(response)


def test_courier_has_no_form_and_is_refused(parcel: Parcel, courier_client: Client) -> None:
    assert "Change date" not in text_of(courier_client.get(f"/parcels/{parcel.number}/"))
    assert write(courier_client, parcel).status_code == 403
    assert revisions_of(parcel) == []


def test_viewers_and_anonymous_users_cannot_revise(
    parcel: Parcel, merchant_organisation: Organisation, rival_merchant: Organisation
) -> None:
    viewer, stranger = client_of(merchant_organisation, Role.VIEWER), client_of(rival_merchant, Role.OWNER)
    assert "Change date" not in text_of(viewer.get(f"/parcels/{parcel.number}/"))
    assert (write(viewer, parcel).status_code, write(stranger, parcel).status_code) == (403, 404)


def test_admin_records_a_revision(parcel: Parcel, ops_client: Client) -> None:
    data = {
        "number": parcel.number,
        "day": day(parcel).isoformat(),
        "reason": "Ms Li phoned",
    }
    wrong = ops_client.post("/admin/slas/revision/add/", {**data, "number": "CA1"})
    assert wrong.status_code == 422
    past = ops_client.post("/admin/slas/revision/add/", {**data, "day": "2016-01-01"})
    assert "after the current one" in text_of(past)
    assert ops_client.post("/admin/slas/revision/add/", data).status_code == 302
    [revision] = revisions_of(parcel)
    assert revision.label == "ops@alliance.example"
    listed = text_of(ops_client.get(f"/admin/slas/revision/?q={parcel.number}"))
    assert parcel.number in listed
    assert ops_client.post(f"/admin/slas/revision/{revision.pk}/delete/", {"post": "yes"}).status_code == 403
