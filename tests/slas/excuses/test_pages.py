"""The list of excuses and the files behind them: both parties read the same."""

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from alliance.identifiers import tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.portal.navigation import NAVIGATION
from alliance.tenancy import Actor, Scope, scope
from slas.models import Excuse
from slas.portal import excuses
from tests.parcels.helpers.parcel_views import client_of, text_of
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, Lane
from tests.slas.helpers.excuses import PNG, agent_of, claimed, decided, late_parcel, picture

pytestmark = pytest.mark.django_db
URL = "/excuses/"


@pytest.fixture
def agent(lane: Lane) -> Actor:
    return agent_of(lane.courier)


@pytest.fixture
def four(lane: Lane, agent: Actor, system: Actor, settings: Any, tmp_path: Path) -> list[Excuse]:
    """Waiting, granted, declined, revoked; the first with a file."""
    settings.MEDIA_ROOT = str(tmp_path)
    with scope(Scope.everything()):
        made = [
            claimed(agent, late_parcel(lane), reason=reason, upload=upload)
            for reason, upload in (
                ("weather", picture()), ("weather", None), ("disaster", None), ("consignee_absent", None),
            )
        ]  # fmt: skip
        decided(system, made[1:2], "grant")
        decided(system, made[2:3], "decline")
        decided(system, made[3:], "grant")
        decided(system, made[3:], "revoke")
    return made


def shown(client: Client, **query: str) -> list[Excuse]:
    response = client.get(URL, query)
    assert response.status_code == 200
    return response.context["excuses"]


@pytest.mark.parametrize("fixture_name", ["courier_client", "merchant_client", "ops_client"])
def test_all_parties_read_reasons_decisions_and_counts(
    four: list[Excuse], fixture_name: str, request: pytest.FixtureRequest
) -> None:
    client = request.getfixturevalue(fixture_name)
    response = client.get(URL)
    text = text_of(response)
    assert len(response.context["excuses"]) == 4
    for excuse in four:
        assert f'href="/breaches/{excuse.number}/delivery/"' in response.content.decode()
    rows = {row.reason: (row.counts, row.total) for row in response.context["rows"]}
    assert rows == {
        "weather": ([1, 1, 0, 0, 0], 2),
        "disaster": ([0, 0, 1, 0, 0], 1),
        "consignee_absent": ([0, 0, 0, 0, 1], 1),
    }
    for said in ("Waiting for a decision", "Granted", "Declined", "Revoked", "Recipient absent"):
        assert said in text


def test_filters_narrow_the_list(four: list[Excuse], courier_client: Client) -> None:
    assert len(shown(courier_client, state="granted")) == 1
    assert len(shown(courier_client, reason="weather")) == 2
    assert len(shown(courier_client, state="claimed", reason="weather")) == 1
    assert not shown(courier_client, state="withdrawn")
    assert "No exemption matches" in text_of(courier_client.get(URL, {"state": "withdrawn"}))


@pytest.mark.parametrize("name", ["state", "reason", "period"])
def test_unknown_filter_value_is_refused_at_its_field(
    four: list[Excuse], courier_client: Client, name: str
) -> None:
    response = courier_client.get(URL, {name: "odd"})
    assert (response.status_code, response.context["excuses"], response.context["rows"]) == (422, [], [])
    # Beside the field, and above where the list would be.
    assert response.content.decode().count("odd is not one of the available choices") == 2


def test_a_period_is_of_the_claim(four: list[Excuse], courier_client: Client) -> None:
    with scope(Scope.everything()):
        Excuse.objects.filter(pk=four[0].pk).update(claimed_at=timezone.now() - 100 * DAY)
    assert len(shown(courier_client)) == 3
    assert len(shown(courier_client, period="30")) == 3
    assert len(shown(courier_client, period="365")) == 4
    assert len(shown(courier_client, period="all")) == 4


@pytest.mark.parametrize("query", [{}, {"state": "granted"}, {"period": ""}])
def test_the_form_shows_the_period_that_counts(courier_client: Client, query: dict[str, str]) -> None:
    assert courier_client.get(URL, query).context["form"]["period"].value() == "90"


def test_page_without_claims_shows_advice(
    courier_client: Client, merchant_client: Client, courier_organisation: Organisation
) -> None:
    assert "request an exemption on its page within 14 days" in text_of(courier_client.get(URL))
    for client in (merchant_client, client_of(courier_organisation, "viewer")):
        assert "Exemption requests of couriers" in text_of(client.get(URL))


def test_pages_meet_without_gap_or_overlap(
    lane: Lane, agent: Actor, courier_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excuses, "PAGE", 2)
    with scope(Scope.everything()):
        # At the same time, as an event claims them.
        made = [claimed(agent, late_parcel(lane)).pk for _number in range(5)]
    seen, url = [], URL
    while url:
        context = courier_client.get(url).context
        seen.append([excuse.pk for excuse in context["excuses"]])
        previous, url = context["previous_url"], context["next_url"] and URL + context["next_url"]
    assert [len(page) for page in seen] == [2, 2, 1]
    assert [pk for page in seen for pk in page] == made[::-1]
    back = courier_client.get(URL + previous).context
    assert [excuse.pk for excuse in back["excuses"]] == seen[1]


@pytest.mark.parametrize("place", ["nonsense", "2026-13-01|1", "2026-01-01T00:00|1", "|", "9" * 99, "x|y|z"])
def test_cursors_that_are_not_of_the_list_are_refused(
    four: list[Excuse], courier_client: Client, place: str
) -> None:
    for side in ("after", "before"):
        page = courier_client.get("/excuses/", {side: place})
        assert page.status_code == 422
        assert "This link does not fit this list" in page.content.decode()


def test_other_organisations_see_no_excuses(
    four: list[Excuse], rival_courier: Organisation, rival_merchant: Organisation
) -> None:
    for organisation in (rival_courier, rival_merchant):
        client = client_of(organisation)
        assert not shown(client)
        assert client.get(f"/excuses/{four[0].pk}/evidence/").status_code == 404
    assert Client().get(URL)["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("fixture_name", ["courier_client", "merchant_client", "ops_client"])
def test_the_file_is_sent_to_the_parties(
    four: list[Excuse], fixture_name: str, request: pytest.FixtureRequest
) -> None:
    client = request.getfixturevalue(fixture_name)
    response = client.get(f"/excuses/{four[0].pk}/evidence/")
    assert b"".join(response.streaming_content) == PNG
    assert response["Content-Type"] == "image/png"
    assert response["Content-Disposition"] == 'inline; filename="proof.png"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response["Content-Security-Policy"]
    download = client.get(f"/excuses/{four[0].pk}/evidence/?download")
    assert download["Content-Disposition"].startswith("attachment")
    assert b"".join(download.streaming_content) == PNG
    assert client.get(f"/excuses/{four[1].pk}/evidence/").status_code == 404
    assert client.get("/excuses/999999/evidence/").status_code == 404
    # As links name it: by its parcel as well.
    linked = client.get(f"/excuses/{four[0].pk}/evidence/", {"number": four[0].number})
    assert b"".join(linked.streaming_content) == PNG
    for number in (four[1].number, "nonsense"):
        address = f"/excuses/{four[0].pk}/evidence/"
        assert client.get(address, {"number": number}).status_code == 404


def test_missing_file_is_reported(four: list[Excuse], courier_client: Client, tmp_path: Path) -> None:
    (tmp_path / four[0].evidence.name).unlink()
    response = courier_client.get(f"/excuses/{four[0].pk}/evidence/")
    assert response.status_code == 404
    assert "is missing" in text_of(response)


def test_menu_counts_waiting_claims_of_the_courier(
    four: list[Excuse], lane: Lane, agent: Actor, merchant: Actor, system: Actor
) -> None:
    count = NAVIGATION["slas:excuse_list"].count
    with scope(Scope.everything()):
        rival = actor_of_organisation(lane.courier, kind="user", role="viewer")
        assert (count(agent), count(rival), count(merchant), count(system)) == (1, 1, 0, 0)
        decided(system, four, "grant")
        # On a cluster it is kept for half a minute.
        cache.clear()
        assert count(agent) == 0


@pytest.mark.one_server("a cluster's lists ask homes first")
def test_the_page_costs_the_same_for_one_and_many(
    lane: Lane, agent: Actor, courier_client: Client, django_assert_num_queries: Any
) -> None:
    with scope(Scope.everything()):
        first = claimed(agent, late_parcel(lane))
    # The first request reads the cities and tiers.
    courier_client.get(URL)
    with django_assert_num_queries(19):
        assert tracking_number(first.parcel_id) in courier_client.get(URL).content.decode()
    with scope(Scope.everything()):
        for number in range(5):
            claimed(agent, late_parcel(lane), now=NOON + number * HOUR, kind=DELIVERY)
    with django_assert_num_queries(19):
        courier_client.get(URL)
