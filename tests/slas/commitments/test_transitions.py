"""The table of transitions: the same in Python, the database and the docs."""

from itertools import product

import pytest
from django.db import IntegrityError, transaction

from slas.choices import Outcome
from slas.commitments.rules import can_become
from slas.models import Commitment
from tests.slas.helpers import transitions_page
from tests.slas.helpers.commitments import HOUR, NOON, Lane

# Times that suit each outcome, so that only the trigger can object.
REACHED = {Outcome.MET: NOON - HOUR, Outcome.LATE: NOON + HOUR}


@pytest.mark.django_db
@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize(("before", "after"), list(product(Outcome, Outcome)))
def test_database_allows_only_transitions_of_the_table(lane: Lane, before: Outcome, after: Outcome) -> None:
    commitments = Commitment.objects.filter(parcel_id=lane.promise())
    assert can_become(Outcome.PENDING, before)
    commitments.update(outcome=before, reached_at=REACHED.get(before))
    change = {"outcome": after, "reached_at": REACHED.get(after)}
    if can_become(before, after):
        assert commitments.update(**change) == 1
    else:
        refusal = f"is {before}, it cannot become {after}"
        with pytest.raises(IntegrityError, match=refusal), transaction.atomic():
            commitments.update(**change)
        assert commitments.get().outcome == before


def test_page_is_drawn_from_the_table() -> None:
    assert transitions_page.PAGE.read_text(encoding="utf-8") == transitions_page.page(), (
        "Draw it anew: python -m tests.slas.helpers.transitions_page > docs/outcomes.md"
    )
