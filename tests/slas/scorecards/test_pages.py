"""Scorecards in the portal: a courier's own months, a rank without names, published rules."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.models import Scorecard
from slas.portal.scorecards import latest_change
from slas.scorecards.rules import final_on, month_after
from slas.scorecards.services.scorecards import refresh_scorecards
from slas.scorecards.services.versions import RulesDraft, add_rules
from tests.slas.helpers.scorecard_cases import stored
from tests.slas.helpers.scorecards import (
    GOLD,
    OLD,
    PROBATION,
    SILVER,
    THIS,
    card,
    cards,
    count,
    final_night,
    on,
)

pytestmark = pytest.mark.django_db
LIST, RULES = "/scorecards/", "/scorecards/rules/"
API, API_RULES = "/api/v1/scorecards", "/api/v1/scorecard-rules"


def page_of(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


# --- list -------------------------------------------------------------------------------------


def test_the_list_shows_grade_running_month_and_all_months(
    courier_client: Client, scored: Organisation
) -> None:
    response = courier_client.get(LIST)
    page = response.content.decode()
    assert response.context["courier"].grade == "gold"
    assert [one.month for one in response.context["cards"]] == [THIS, month_after(OLD), OLD]
    assert f"/scorecards/{OLD:%Y-%m}/" in page
    assert "2 of 2" in page
    assert "1 of 1" in page
    assert "Provisional" in page
    # 50 deliveries are not enough; the score is shown all the same.
    assert response.context["running"].card.grade == ""
    assert "too few deliveries" in page


def test_peers_are_counted_and_never_named(courier_client: Client, scored: Organisation) -> None:
    for address in (LIST, f"{LIST}{month_after(OLD):%Y-%m}/", RULES):
        assert "Rival" not in page_of(courier_client, address)


def test_change_of_grade_is_shown_on_the_page(courier_client: Client, scored: Organisation) -> None:
    page = page_of(courier_client, LIST)
    assert "Your grade has changed from Silver to Gold." in page
    assert "alert-success" in page


def test_a_grade_that_stayed_is_no_news(courier_client: Client, swift: Organisation) -> None:
    count(swift, OLD, GOLD)
    count(swift, month_after(OLD), GOLD)
    refresh_scorecards(now=final_night(month_after(OLD)))
    page = page_of(courier_client, LIST)
    assert "Your grade has changed" not in page
    # How it came about is still said.
    assert f"by the scorecard of {OLD:%B %Y}; before: Member" in page


def test_probation_is_shown_as_a_warning(courier_client: Client, swift: Organisation) -> None:
    count(swift, OLD, PROBATION)
    refresh_scorecards(now=final_night(OLD))
    page = page_of(courier_client, LIST)
    assert "Your grade has changed from Member to Probation." in page
    assert "alert-warning" in page
    assert "Quotes list you after all other couriers." in page


def test_months_too_small_are_no_change(swift: Organisation) -> None:
    count(swift, OLD, GOLD)
    count(swift, month_after(OLD), {"overdue": 5})
    refresh_scorecards(now=final_night(month_after(OLD)))
    newest_first = sorted(cards(), key=lambda one: one.month, reverse=True)
    change = latest_change(newest_first)
    assert change is not None
    assert (change.card.month, change.before, change.after, change.is_news) == (OLD, "member", "gold", True)


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ([], None),
        (["member"], None),
        (["gold"], (0, "member", "gold", True)),
        (["gold", "gold"], (0, "member", "gold", False)),
        (["gold", "silver", "silver"], (1, "gold", "silver", False)),
        (["silver", "member", "gold"], (2, "member", "gold", True)),
        # Too small to be graded: the grade stays.
        (["gold", ""], (0, "member", "gold", True)),
        (["gold", "", "gold"], (0, "member", "gold", False)),
    ],
)
def test_the_last_change_is_found(grades: list[str], expected: tuple[Any, ...] | None) -> None:
    made = [
        Scorecard(month=month_after(OLD, place), grade=grade, frozen_at=on(OLD))
        for place, grade in enumerate(grades)
    ]
    change = latest_change(made[::-1])
    if change is None:
        assert expected is None
        return
    place = [card.month for card in made].index(change.card.month)
    assert (place, change.before, change.after, change.is_news) == expected


def test_page_without_months_shows_when_the_first_comes(courier_client: Client) -> None:
    page = page_of(courier_client, LIST)
    assert "No scorecard yet" in page
    assert "Scorecards are calculated every night" in page


def test_the_trend_begins_with_the_first_scorecard_and_has_gaps(
    courier_client: Client, scored: Organisation
) -> None:
    chart = courier_client.get(LIST).context["chart"]
    assert len(chart.categories) == 4
    assert chart.categories[-1] == f"{THIS:%B %Y}"
    scores = list(chart.series[0].values)
    assert scores[-1] == float(card(scored, THIS).score)
    assert [value is None for value in scores] == [False, False, True, False]
    assert chart.provisional_from == 3


# --- a month ----------------------------------------------------------------------------------


def test_month_shows_value_band_points_weight_and_next_band(
    courier_client: Client, scored: Organisation
) -> None:
    response = courier_client.get(f"{LIST}{OLD:%Y-%m}/")
    page = " ".join(response.content.decode().split())
    on_time = response.context["view"].lines[0]
    assert (on_time.value, on_time.n, on_time.points, on_time.weight) == (0.95, 1000, 80, 40)
    for words in ("95.00", "94.0", "96.0", "for 90 points", "40 %", "32.00"):
        assert words in page, words
    # The last of the five, where lower is better.
    assert "0.5 % or less" in page
    assert "Final since" in page
    assert str(card(scored, OLD).score) in page
    assert "Version" not in page
    assert f"{RULES}?version=1" in page


def test_current_month_shows_when_it_is_final(courier_client: Client, scored: Organisation) -> None:
    page = page_of(courier_client, f"{LIST}{THIS:%Y-%m}/")
    assert "Provisional: recalculated every night until" in page
    assert str(final_on(THIS).year) in page
    assert "Below 100 deliveries the grade does not change." in page
    # No pickups were counted: the others weigh more.
    assert "no data" in page
    assert "counts 47.1" in page


def test_months_lead_to_their_neighbours(courier_client: Client, scored: Organisation) -> None:
    response = courier_client.get(f"{LIST}{month_after(OLD):%Y-%m}/")
    assert (response.context["earlier"], response.context["later"]) == (OLD, None)


@pytest.mark.parametrize(
    ("months", "status", "message"),
    [
        (["2019-01", "2099-12"], 404, "There is no scorecard for that month."),
        (
            ["1999-01", "2026-13", "2026-1", "2026", "may", "2026-10-01", "9999-12"],
            422,
            "Write a month from 2000 to 2099, as in 2026-10.",
        ),
    ],
)
def test_unknown_months_are_not_found(
    courier_client: Client,
    courier_api: APIClient,
    scored: Organisation,
    months: list[str],
    status: int,
    message: str,
) -> None:
    for month in months:
        page, answer = courier_client.get(f"{LIST}{month}/"), courier_api.get(f"{API}/{month}")
        assert (page.status_code, answer.status_code) == (status, status)
        assert message in page.content.decode()
        assert answer.json()["detail"] == message


def test_merchants_and_ops_have_no_scorecards_here(
    merchant_client: Client, ops_client: Client, scored: Organisation
) -> None:
    for client in (merchant_client, ops_client):
        for address in (LIST, f"{LIST}{OLD:%Y-%m}/"):
            assert client.get(address).status_code == 403


def test_the_list_costs_the_same_however_many_months(courier_client: Client, swift: Organisation) -> None:
    asked = []
    for back in range(3):
        count(swift, month_after(THIS, -back), SILVER)
        refresh_scorecards(now=on(THIS.replace(day=20)))
        courier_client.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            courier_client.get(LIST)
        asked.append([query["sql"] for query in queries if "slas_" in query["sql"]])
    assert [len(each) for each in asked] == [len(asked[0])] * 3
    assert sum("slas_scorecard" in sql for sql in asked[0]) == 1


# --- rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixture_name", ["courier_client", "merchant_client", "ops_client"])
def test_the_rules_are_published_to_everybody(fixture_name: str, request: pytest.FixtureRequest) -> None:
    page = page_of(request.getfixturevalue(fixture_name), RULES)
    for words in (
        "Version 1 of the rules",
        "Deliveries on time",
        "40 %",
        "85 or more",
        "100 deliveries judged",
    ):
        assert words in page, words
    assert "day 21 of the following month" in page


def test_rules_announced_are_shown_before_they_hold(courier_client: Client, system: Actor) -> None:
    with scope(Scope.everything()):
        draft = RulesDraft(**stored(minimum_volume=321))
        add_rules(
            actor=system, draft=draft, valid_from=month_after(THIS), note="Small ones, too.", now=on(THIS)
        )
    assert "version 2 applies" in page_of(courier_client, RULES)
    page = page_of(courier_client, f"{RULES}?version=2")
    assert "321 deliveries judged" in page
    assert "Small ones, too." in page
    assert "These rules do not apply this month: version 1 is in force." in page


@pytest.mark.parametrize("version", ["3", "0", "x", "1.0", ""])
def test_unknown_versions_are_not_found(courier_client: Client, version: str) -> None:
    assert courier_client.get(f"{RULES}?version={version}").status_code == 404


def test_the_rules_stand_in_the_merchants_menu(merchant_client: Client, courier_client: Client) -> None:
    assert RULES in page_of(merchant_client, "/rates/")
    assert 'href="/scorecards/"' not in page_of(merchant_client, "/rates/")
    assert 'href="/scorecards/"' in page_of(courier_client, "/rates/")
