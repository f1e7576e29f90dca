"""The world of the SLA tests: one lane on which promises are made, and staff who look after it."""

import pytest
from django.test import Client

from alliance.models import Organisation
from tests import factories
from tests.slas import judging


@pytest.fixture
def lane(merchant_organisation: Organisation, courier_organisation: Organisation) -> judging.Lane:
    return judging.lane(merchant_organisation, courier_organisation)


@pytest.fixture
def staff_client(db: None) -> Client:
    """Ops staff without a superuser's rights."""
    client = Client()
    client.force_login(
        factories.user("staff@alliance.example", is_staff=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client
