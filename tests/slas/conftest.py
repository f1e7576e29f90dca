"""The world of the SLA tests: one lane on which promises are made."""

import pytest

from alliance.models import Organisation
from tests.slas import judging


@pytest.fixture
def lane(merchant_organisation: Organisation, courier_organisation: Organisation) -> judging.Lane:
    return judging.lane(merchant_organisation, courier_organisation)
