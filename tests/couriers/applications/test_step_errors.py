"""Everything wrong with a step is said at once."""

import pytest
from django.test import Client
from django.urls import reverse

from couriers.models import Application

pytestmark = pytest.mark.django_db


def test_what_cannot_be_read_and_what_breaks_a_rule_are_told_together(
    applicant_client: Client, draft: Application
) -> None:
    given = {"legal_name": "Swift", "credit_code": "123", "fleet_size": "many"}
    response = applicant_client.post(reverse("couriers:company_edit"), given)
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {"credit_code", "fleet_size"}
