"""Another day for a delivery, written down by the merchant on the parcel's page, or by ops in the admin."""

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
from tests.parcels.helpers.parcel_views import client_of, some_parcels, text_of
from tests.parcels.helpers.revisions import day, due_at, revisions_of

pytestmark = pytest.mark.django_db


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
