"""docs/policies.md says what the database says."""

import pytest

from tests.helpers.policies_page import PAGE, page

pytestmark = pytest.mark.django_db


def test_the_page_of_policies_says_what_the_database_says() -> None:
    assert PAGE.read_text() == page(), (
        "Migrate, then write it anew: python -m tests.helpers.policies_page > docs/policies.md"
    )
