"""Merchants: the record that an organisation which sends parcels has."""

from alliance.models import Organisation
from parcels.models import Merchant


def create_merchant(organisation: Organisation) -> None:
    """Create the merchant's record of a new organisation, in the transaction that creates it."""
    Merchant.objects.create(organisation=organisation)
