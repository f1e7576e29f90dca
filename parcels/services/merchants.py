"""Merchants: the record that an organisation which sends parcels has."""

from alliance.models import Organisation
from parcels.models import Merchant


def found_merchant(organisation: Organisation) -> None:
    """Make the merchant's record of a new organisation, in the transaction that makes it."""
    Merchant.objects.create(organisation=organisation)
