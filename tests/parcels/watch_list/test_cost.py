"""The cost of a refresh of the watch list: proportional to what is due, not to the number of parcels."""

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alliance.database.cluster import shard_keys
from alliance.models import Organisation
from alliance.tenancy import Scope, raw_rows, scope
from parcels.watch_list.services import sightings
from slas.choices import Outcome
from slas.forecasts.sql_watch import CANDIDATES
from slas.forecasts.watch_rules import NEAR, TURNS
from slas.models import Commitment
from tests.helpers.owner import execute_as_owner
from tests.helpers.plans import explained
from tests.parcels.helpers.watch_list import HOUR, due_in, history, refresh

pytestmark = pytest.mark.django_db
Company = Organisation


def test_query_count_does_not_grow_with_parcels(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    counts = []
    refresh()
    for number in (1, 6):
        # In one shard of a cluster, whose shards are refreshed one by one.
        parcels = due_in(merchant_organisation, courier_organisation, 2, count=number, homes=[0])
        history(courier_organisation, [90] * 40, like=parcels[0], days_ago=2 + number)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            refresh()
        counts.append(len(queries))
    # Most of them open and close scopes.
    assert counts[0] == counts[1] <= 34 * len(shard_keys())


@pytest.mark.one_server("a plan; on a cluster each shard plans for itself")
def test_rows_read_are_proportional_to_what_is_due(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    """Ten times as many parcels that are not due do not change the number of rows read."""
    due_in(merchant_organisation, courier_organisation, 5, count=10)
    due_in(merchant_organisation, courier_organisation, 90, count=40)
    with scope(Scope.everything()):
        execute_as_owner("ANALYZE slas_commitment")
        first = _rows_read()
        due_in(merchant_organisation, courier_organisation, 90, count=400)
        delivered = due_in(merchant_organisation, courier_organisation, -30, count=400)
        Commitment.objects.filter(parcel_id__in=[parcel.pk for parcel in delivered]).update(
            outcome=Outcome.MET, reached_at=delivered[0].booked_at
        )
        execute_as_owner("ANALYZE slas_commitment")
        assert refresh().parcels == 10
        assert _rows_read() == first <= 30


def _rows_read() -> int:
    """Rows of commitments read to select the parcels to check, including discarded rows."""
    now = timezone.now()
    values = (0, now, now + 24 * HOUR, now - 720 * HOUR, now + NEAR, list(range(TURNS)))
    # As for large tables: with few rows, a sequential scan would be cheapest.
    raw_rows("SET LOCAL enable_seqscan = off")
    [(plan,)] = explained(CANDIDATES, *values, options="ANALYZE, FORMAT JSON")
    raw_rows("SET LOCAL enable_seqscan = on")
    return _read_by(plan[0]["Plan"])


def _read_by(node: dict[str, Any]) -> int:
    below = sum(_read_by(child) for child in node.get("Plans", []))
    if node.get("Relation Name", "").startswith("slas_commitment"):
        thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        return below + int((node["Actual Rows"] + thrown) * node["Actual Loops"])
    return below


def test_sightings_of_no_parcels_need_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert sightings([]) == []
