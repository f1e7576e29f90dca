"""What can be taken back is done at once, with a message that takes it back."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from alliance.choices import InvitationState, Role
from alliance.errors import Conflict, NotFound
from alliance.members.services.actors import actor_of_user
from alliance.members.services.invitations import invite_member, reinstate_invitation, withdraw_invitation
from alliance.models import City, Invitation, Organisation
from alliance.portal.undo import Undo, undo_of
from alliance.tenancy import Actor, Scope, scope
from parcels.models import PickupAddress
from slas.models import Offer, ServiceTier
from tests import factories
from tests.parcels.helpers.parcel_views import client_of

pytestmark = pytest.mark.django_db


def undo_in(answer: Any) -> Undo:
    [message] = get_messages(answer.wsgi_request)
    undo = undo_of(message)
    assert undo is not None
    return undo


def take_back(client: Client, answer: Any) -> Any:
    """Press the button of the message that the next page shows."""
    undo = undo_in(answer)
    assert f'action="{undo.url}"' in client.get(answer["Location"]).content.decode()
    return client.post(undo.url, dict(undo.fields))


@pytest.fixture
def offer(courier_organisation: Organisation) -> Offer:
    with scope(Scope.everything()):
        cities = {city.code: city for city in City.objects.filter(code__in=["CN-HGH", "CN-CTU"])}
        return Offer.objects.create(
            courier_id=courier_organisation.pk, tier=ServiceTier.objects.get(code="next_day"),
            origin=cities["CN-HGH"], destination=cities["CN-CTU"], price_fen=1_800, daily_capacity=50,
        )  # fmt: skip


def is_on_sale(offer: Offer) -> bool:
    with scope(Scope.everything()):
        offer.refresh_from_db()
    return offer.active


def test_offer_goes_off_sale_at_once_and_back(offer: Offer, courier_client: Client) -> None:
    answer = courier_client.post(f"/offers/{offer.pk}/sale/", {"active": "0"})
    assert not is_on_sale(offer)
    take_back(courier_client, answer)
    assert is_on_sale(offer)
    assert (offer.price_fen, offer.daily_capacity) == (1_800, 50)


def test_others_cannot_take_an_offer_off_sale(offer: Offer, merchant_client: Client) -> None:
    assert merchant_client.post(f"/offers/{offer.pk}/sale/", {"active": "0"}).status_code == 403
    assert is_on_sale(offer)


@pytest.fixture
def owner(merchant_organisation: Organisation) -> Actor:
    return actor_of_user(factories.member_user("boss@lotus.example", merchant_organisation))


def test_withdrawn_invitation_waits_again(owner: Actor, merchant_client: Client) -> None:
    with scope(Scope.of(owner)):
        invitation = invite_member(actor=owner, email="new@lotus.example", role=Role.AGENT)
    answer = merchant_client.post(f"/members/invitations/{invitation.pk}/withdraw/")
    take_back(merchant_client, answer)
    with scope(Scope.everything()):
        invitation.refresh_from_db()
    assert (invitation.state, invitation.decided_at) == (InvitationState.PENDING, None)


def test_invitation_is_not_reinstated_beside_another_or_after_its_end(owner: Actor) -> None:
    with scope(Scope.of(owner)):
        invitation = invite_member(actor=owner, email="new@lotus.example", role=Role.AGENT)
        withdraw_invitation(actor=owner, invitation_id=invitation.pk)
        with pytest.raises(NotFound):
            reinstate_invitation(
                actor=owner, invitation_id=invitation.pk, now=timezone.now() + timedelta(days=8)
            )
        invite_member(actor=owner, email="new@lotus.example", role=Role.VIEWER)
        with pytest.raises(Conflict):
            reinstate_invitation(actor=owner, invitation_id=invitation.pk)
        assert Invitation.objects.filter(state=InvitationState.PENDING).count() == 1


@pytest.fixture
def address(merchant_organisation: Organisation) -> PickupAddress:
    with scope(Scope.everything()):
        return PickupAddress.objects.create(
            merchant_id=merchant_organisation.pk, name="West store", city=City.objects.get(code="CN-HGH"),
            address="1 Lake Road", contact_name="陈", contact_phone="13800138000", is_default=True,
        )  # fmt: skip


def addresses() -> list[dict[str, Any]]:
    with scope(Scope.everything()):
        return list(PickupAddress.objects.filter(removed_at=None).order_by("pk").values())


def test_removed_address_comes_back(address: PickupAddress, merchant_client: Client) -> None:
    before = addresses()
    answer = merchant_client.post(f"/addresses/{address.pk}/delete/")
    assert addresses() == []
    undo = undo_in(answer)
    take_back(merchant_client, answer)
    assert addresses() == before
    # A second time changes nothing.
    assert merchant_client.post(undo.url, dict(undo.fields)).status_code == 302
    assert addresses() == before


def test_address_is_not_restored_for_others_or_over_another(
    address: PickupAddress, merchant_client: Client, rival_merchant: Organisation
) -> None:
    undo = undo_in(merchant_client.post(f"/addresses/{address.pk}/delete/"))
    assert client_of(rival_merchant, Role.OWNER).post(undo.url, dict(undo.fields)).status_code == 404
    with scope(Scope.everything()):
        address.pk = None
        address.save(force_insert=True)
    merchant_client.post(undo.url, dict(undo.fields))
    assert [row["name"] for row in addresses()] == ["West store"]
