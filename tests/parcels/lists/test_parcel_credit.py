"""The card with the credits on a parcel's page."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from slas.commitments.services.settling import excuse_commitments
from slas.credits.months import month_of, spell
from slas.models import Commitment
from tests.factories import LOTUS
from tests.parcels.helpers.parcel_views import client_of, text_of
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.credit_cases import work

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def overdue(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    """A parcel for ten yuan, due six hours ago and not delivered."""
    booked_at = NOW - timedelta(hours=36)
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at)
    with scope(Scope.everything()):
        Commitment.objects.filter(parcel_id=parcel.pk, kind="delivery").update(fee_fen=1_000)
    work(NOW)
    return parcel


def page(client: Client, parcel: Parcel) -> str:
    return text_of(client.get(f"/parcels/{parcel.number}/"))


def test_merchant_and_courier_see_credits_and_reversals(
    overdue: Parcel, merchant_client: Client, courier_client: Client
) -> None:
    assert "Credited by the courier 2.00" in page(merchant_client, overdue)
    assert "Owed to the merchant 2.00" in page(courier_client, overdue)
    with scope(Scope.everything()):
        excuse_commitments(keys=[(overdue.pk, "delivery")], reason="weather", now=NOW)
    work(NOW)
    words = page(merchant_client, overdue)
    assert "Overdue, not delivered" in words
    assert "Exempt: reversed" in words
    assert "Credited by the courier 0.00" in words


def test_entries_link_to_their_statement(
    overdue: Parcel, merchant_client: Client, ops_client: Client
) -> None:
    address = f"/statements/{spell(month_of(NOW))}/"
    assert f'href="{address}"' in merchant_client.get(f"/parcels/{overdue.number}/").content.decode()
    page = ops_client.get(f"/parcels/{overdue.number}/").content.decode()
    assert f'href="{address}?organisation={LOTUS}' in page


def test_credits_are_hidden_without_finance_capability(
    overdue: Parcel, merchant_organisation: Organisation
) -> None:
    assert 'id="credit"' not in (
        client_of(merchant_organisation, Role.AGENT).get(f"/parcels/{overdue.number}/").content.decode()
    )


def test_parcel_without_credit_has_no_card(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant_client: Client
) -> None:
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=NOW)
    response = merchant_client.get(f"/parcels/{parcel.number}/")
    assert (response.status_code, 'id="credit"' in response.content.decode()) == (200, False)
