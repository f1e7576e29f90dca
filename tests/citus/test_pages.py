"""How many shards each page and each call asks, of everything in the access table.

What reads one parcel asks its shard, a member's list the shards of its homes, or of its couriers', ops' lists
all shards, for one page each. All else is read on the coordinator: a new page that asks shards has to be
named here.
"""

import html
import re
from typing import Final

import pytest
from django.db import transaction
from django.urls import reverse

from alliance.database.cluster import keys_of_homes
from alliance.tenancy import Scope, scope
from couriers.homes.queries import homes_of_merchant, homes_to_read
from tests.access.rows import Row
from tests.access.table import TABLE
from tests.access.test_access import knock
from tests.access.world import World
from tests.citus import servers
from tests.citus.conftest import Asked

pytestmark = pytest.mark.django_db

# One parcel, by its number or id.
OF_A_PARCEL: Final = {
    "parcels:track", "parcels:track_revise", "api:parcels:tracking",
    "parcels:parcel_detail", "parcels:parcel_booked", "parcels:breach_detail",
    "parcels:label_open", "parcels:label_page", "parcels:label_picture", "api:parcels:parcel_label",
    "parcels:track_return", "parcels:return_issue",
    # A message's id names its parcel.
    "parcels:webhook_delivery", "api:parcels:webhook_delivery",
    "api:parcels:parcel_detail", "api:parcels:parcel_revisions", "api:parcels:breach_detail",
    "admin:parcels_parcel_change", "admin:parcels_parcel_delete", "admin:parcels_parcel_erase",
    "admin:parcels_returnrequest_change",
    "admin:slas_commitmentlisting_change", "admin:slas_commitmentlisting_delete",
    "admin:slas_breachlisting_change", "admin:slas_breachlisting_delete",
}  # fmt: skip
# Lists of parcels and of what belongs to them: of a member at its homes, else of all shards.
LISTS: Final = {
    "slas:breach_list", "slas:statement_detail", "slas:statement_csv", "slas:statement_pdf",
    "parcels:dashboard_view", "parcels:parcel_list", "parcels:parcel_export", "parcels:watch_list",
    "api:slas:breaches", "api:slas:statement_entries", "api:parcels:parcel_list", "api:parcels:watch_list",
    "admin:alliance_event_changelist", "admin:slas_creditentry_changelist",
    "admin:slas_commitmentlisting_changelist", "admin:slas_breachlisting_changelist",
    "admin:slas_watchitem_changelist", "admin:slas_revision_changelist", "admin:parcels_parcel_changelist",
    "parcels:return_list", "api:parcels:return_requests", "admin:parcels_returnrequest_changelist",
    # The parcels of pickup requests, of manifests and of a month's freight.
    "parcels:pickup_list", "parcels:pickup_detail", "parcels:pickup_create", "parcels:pickup_round",
    "parcels:pickup_round_pdf",
    "api:parcels:pickup_list", "api:parcels:pickup_detail",
    "parcels:manifest_list", "parcels:manifest_detail", "parcels:manifest_create", "parcels:manifest_pdf",
    "parcels:manifest_csv", "api:parcels:manifest_list", "api:parcels:manifest_detail",
    "api:parcels:manifest_pdf", "api:parcels:manifest_parcels",
    "parcels:freight_detail", "parcels:freight_csv", "parcels:freight_xlsx",
    "api:parcels:freight_statement_lines", "api:parcels:freight_statement_csv",
    "api:parcels:freight_statement_xlsx",
    # Breaches that a closure or a disruption touched.
    "admin:slas_disruption_propose", "admin:slas_closure_propose",
    "slas:excuse_list", "api:slas:excuses", "admin:slas_excuse_changelist", "admin:slas_excuse_decide",
    # Addresses of the release before, without the parcel that links name now.
    "slas:excuse_evidence", "slas:excuse_withdraw",
}  # fmt: skip
# Ops' pages of one row by its id alone, which does not say where it is: links of lists name its parcel,
# too. Of disruptions, which count their claims; and of months that are about to be closed.
OF_OPS: Final = {
    f"admin:{name}_{page}"
    for name in ("alliance_event", "slas_creditentry", "slas_watchitem", "slas_revision", "slas_excuse")
    for page in ("change", "delete")
} | {
    "admin:slas_closedmonth_add",
    *("admin:slas_disruption_changelist", "admin:slas_disruption_change", "admin:slas_disruption_delete"),
    # Names of the rows that entries are about.
    *("admin:alliance_auditentry_changelist", "admin:alliance_auditentry_change"),
}
# Pages of a webhook: its messages lie beside their parcels, and those about no parcel in any shard.
OF_A_WEBHOOK: Final = {
    *(f"parcels:webhook_{page}" for page in ("list", "detail", "replay")),
    *(f"api:parcels:webhook_{page}" for page in ("detail", "delivery_list", "pause", "resume", "rotate")),
}
# Queues are counted on all workers, to say whether these answer.
OF_HEALTH: Final = {"readyz"}
MEMBERS: Final = ("courier_owner", "merchant_owner", "ops")
CALLERS: Final = ("courier_key", "merchant_key", "ops")
READS: Final = [row for row in TABLE if row.method == "GET"]


@pytest.mark.parametrize("row", READS, ids=lambda row: row.name)
def test_read_asks_few_shards(row: Row, world: World, asked: Asked) -> None:
    for actor in CALLERS if row.route.startswith("api:") else MEMBERS:
        if actor not in row.visitors or row.expected[actor] != 200:
            continue
        most = most_shards(row.route, actor, world)
        client = world.client(actor)
        with transaction.atomic():
            statements = asked(lambda c=client: knock(c, row, world.things))
            if len(set().union(*statements)) > most:
                # Figures beside what a page is about are kept by now.
                statements = asked(lambda c=client: knock(c, row, world.things))
            transaction.set_rollback(True)
        assert len(set().union(*statements)) <= most, actor


def most_shards(route: str, actor: str, world: World) -> int:
    """Return how many shards a route may ask: its lists, for a member, those of its homes."""
    if route in OF_A_PARCEL:
        return 1
    if route in LISTS:
        return shards_of_homes(actor, world)
    return servers.SHARDS if route in OF_OPS | OF_A_WEBHOOK | OF_HEALTH else 0


def shards_of_homes(actor: str, world: World) -> int:
    """Return how many shards a member's lists are asked of: those of its homes; all of them for ops."""
    party = actor.partition("_")[0]
    if party not in {"courier", "merchant"}:
        return servers.SHARDS
    of_party = homes_to_read if party == "courier" else homes_of_merchant
    with scope(Scope.everything()):
        homes = len(keys_of_homes(of_party(int(world.things[party]))))
    assert homes < servers.SHARDS
    return homes


@pytest.mark.parametrize("model", ["alliance_event", "slas_creditentry", "slas_revision", "slas_excuse"])
def test_page_of_a_row_asks_its_shard_when_a_list_leads_there(model: str, world: World, asked: Asked) -> None:
    client = world.client("ops")
    page = client.get(reverse(f"admin:{model}_changelist")).content.decode()
    [link, *_others] = re.findall(r'href="([^"]+/change/\?parcel=-?[0-9]+[^"]*)"', page)
    responses = []
    statements = asked(lambda: responses.append(client.get(html.unescape(link))))
    assert [response.status_code for response in responses] == [200]
    assert len(set().union(*statements)) == 1
