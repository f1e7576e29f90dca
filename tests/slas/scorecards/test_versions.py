"""Versions of the scorecards' rules: tried, applied and taken back, by service and in the admin."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.choices import Grade
from slas.models import ScoreRules
from slas.scorecards.rules import month_after, month_of
from slas.scorecards.services.scorecards import refresh_scorecards
from slas.scorecards.services.versions import (
    RulesDraft,
    Verdict,
    WhatIf,
    add_rules,
    first_month_open,
    rules_for,
    try_rules,
    withdraw_rules,
)
from tests import factories
from tests.slas.helpers.scorecard_cases import SEED, stored
from tests.slas.helpers.scorecards import GOLD, LAST, SILVER, THIS, card, cards, count, final_night, on

pytestmark = pytest.mark.django_db
RULES, CARDS = "/admin/slas/scorerules/", "/admin/slas/scorecard/"
NOW = on(THIS.replace(day=10))
NEXT = month_after(THIS)
# Nothing but punctuality counts, and gold asks for all of it.
STRICT = stored(
    weights={**dict.fromkeys(SEED.WEIGHTS, 0), "delivery_on_time": 100},
    grades={"gold": 100, "silver": 80, "member": 60},
)


@pytest.fixture
def staff_client(db: None) -> Client:
    """Ops staff without a superuser's rights."""
    client = Client()
    client.force_login(
        factories.staff_user("staff@alliance.example"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


@pytest.fixture
def peers(courier_organisation: Organisation, rival_courier: Organisation) -> None:
    """Last month of two couriers, and of one too small to be graded."""
    count(courier_organisation, LAST, SILVER, pickups={"met": 1_000})
    count(rival_courier, LAST, {**GOLD, "met": 970, "late": 30}, pickups={"met": 1_000})
    count(factories.courier_organisation(name="Small Parcels"), LAST, {"met": 99})
    refresh_scorecards(now=NOW)


def add(actor: Actor, valid_from: date = NEXT, now: Any = NOW, **changes: Any) -> ScoreRules:
    draft = RulesDraft(**stored(**changes))
    with scope(Scope.everything()):
        return add_rules(actor=actor, draft=draft, valid_from=valid_from, note="Fairer.", now=now)


def tried(actor: Actor, draft: dict[str, Any]) -> WhatIf:
    with scope(Scope.everything()):
        return try_rules(actor=actor, draft=RulesDraft(**draft), now=NOW)


# --- trying -----------------------------------------------------------------------------------


def test_the_rules_of_the_month_change_nothing(system: Actor, peers: None) -> None:
    answer = tried(system, stored())
    assert (answer.month, answer.is_final, answer.changed) == (LAST, False, 0)
    names = [change.courier for change in answer.changes]
    assert names == ["Rival Logistics", "Swift Express", "Small Parcels"]
    assert answer.totals == [
        (Grade.GOLD, 1, 1), (Grade.SILVER, 1, 1), (Grade.MEMBER, 0, 0), (Grade.PROBATION, 0, 0), (None, 1, 1),
    ]  # fmt: skip


def test_other_rules_are_compared_without_changes(system: Actor, peers: None) -> None:
    before = [(one.score, one.rank, one.grade) for one in cards()]
    answer = tried(system, STRICT)
    by_name = {change.courier: change for change in answer.changes}
    rival, swift = by_name["Rival Logistics"], by_name["Swift Express"]
    assert (rival.before.grade, rival.after) == (Grade.GOLD, Verdict(Decimal("90.00"), 1, Grade.SILVER))
    assert (swift.after.score, swift.after.rank) == (Decimal("80.00"), 2)
    assert rival.changes_grade
    assert not by_name["Small Parcels"].changes_grade
    assert dict((grade, after) for grade, _before, after in answer.totals)[Grade.SILVER] == 2
    assert [(one.score, one.rank, one.grade) for one in cards()] == before
    assert ScoreRules.objects.count() == 1


def test_a_lower_least_volume_grades_the_small(system: Actor, peers: None) -> None:
    answer = tried(system, stored(minimum_volume=99))
    small = next(change for change in answer.changes if change.courier == "Small Parcels")
    assert (small.before.grade, small.before.rank) == (None, None)
    assert (small.after.grade, small.after.rank) == (Grade.SILVER, 3)
    assert answer.changed == 1


def test_final_month_is_compared_with_its_published_rules(
    system: Actor, courier_organisation: Organisation
) -> None:
    month = month_after(LAST, -1)
    count(courier_organisation, month, SILVER)
    refresh_scorecards(now=final_night(month))
    count(courier_organisation, month, {"late": 5_000})
    with scope(Scope.everything()):
        now = final_night(month)
        answer = try_rules(actor=system, draft=RulesDraft(**stored()), now=now)
    # Cells that came after do not count.
    assert (answer.month, answer.is_final, answer.changed) == (month, True, 0)


def test_wrong_rules_are_not_tried(system: Actor) -> None:
    with pytest.raises(InvalidInput) as refused:
        tried(system, stored(weights=SEED.WEIGHTS | {"lateness": 10}))
    assert [error.pointer for error in refused.value.errors] == ["/weights"]


@pytest.mark.parametrize("fixture_name", ["courier", "merchant"])
def test_rules_are_the_business_of_ops(fixture_name: str, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(fixture_name)
    with pytest.raises(NotPermitted):
        tried(actor, stored())
    with pytest.raises(NotPermitted):
        add(actor)
    with pytest.raises(NotPermitted), scope(Scope.everything()):
        withdraw_rules(actor=actor, rules_id=ScoreRules.objects.get().pk, now=NOW)


# --- applying ---------------------------------------------------------------------------------


def test_rules_hold_from_their_month_on(system: Actor, courier_organisation: Organisation) -> None:
    result = add(system, grades={"gold": 100, "silver": 99, "member": 98})
    assert (result.number, result.valid_from, result.note) == (2, NEXT, "Fairer.")
    assert rules_for(THIS).number == 1
    assert rules_for(NEXT) == rules_for(month_after(NEXT, 7)) == result
    assert rules_for(date(2009, 1, 1)).number == 1
    for month in (THIS, NEXT):
        count(courier_organisation, month, SILVER)
    refresh_scorecards(now=on(NEXT.replace(day=28)))
    assert [(one.grade, one.rules.number) for one in (card(courier_organisation, THIS), card(
        courier_organisation, NEXT))] == [("silver", 1), ("probation", 2)]  # fmt: skip


def test_adding_rules_is_audited(system: Actor) -> None:
    result = add(system, minimum_volume=50)
    with scope(Scope.everything()):
        [entry] = AuditEntry.objects.filter(verb="score_rules.added")
    assert (entry.object_id, entry.detail["number"], entry.detail["minimum_volume"]) == (
        str(result.pk),
        2,
        50,
    )
    assert entry.detail["weights"] == SEED.WEIGHTS


@pytest.mark.parametrize(
    ("valid_from", "code"),
    [(THIS, "past"), (LAST, "past"), (NEXT + timedelta(days=1), "month"), (date(2016, 1, 1), "past")],
)
def test_rules_cannot_hold_for_months_that_have_begun(system: Actor, valid_from: date, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(system, valid_from)
    [error] = refused.value.errors
    assert (error.pointer, error.code) == ("/valid_from", code)


def test_versions_follow_each_other(system: Actor) -> None:
    add(system, month_after(NEXT, 2))
    for month in (NEXT, month_after(NEXT, 2)):
        with pytest.raises(InvalidInput) as error:
            add(system, month)
        assert error.value.errors[0].code == "order"
    assert add(system, month_after(NEXT, 3)).number == 3


def test_all_problems_are_reported_together(system: Actor) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(system, THIS, minimum_volume=0, weights=SEED.WEIGHTS | {"lateness": 0})
    assert [error.pointer for error in refused.value.errors] == ["/weights", "/minimum_volume", "/valid_from"]


def test_announced_rules_can_be_withdrawn_until_their_month(system: Actor) -> None:
    result = add(system)
    with scope(Scope.everything()):
        with pytest.raises(Conflict):
            withdraw_rules(actor=system, rules_id=result.pk, now=on(NEXT))
        withdraw_rules(actor=system, rules_id=result.pk, now=on(NEXT) - timedelta(hours=3))
        with pytest.raises(NotFound):
            withdraw_rules(actor=system, rules_id=result.pk, now=NOW)
        assert AuditEntry.objects.filter(verb="score_rules.withdrawn").count() == 1
    assert ScoreRules.objects.get().number == 1


def test_the_first_open_month_is_the_next() -> None:
    assert first_month_open(on(date(2026, 12, 31), 23)) == date(2027, 1, 1)
    assert first_month_open(on(date(2027, 1, 1), 0)) == date(2027, 2, 1)


# --- the admin's page -------------------------------------------------------------------------


def entered(**changes: Any) -> dict[str, Any]:
    """The form as it opens, with some fields changed."""
    bands = {
        name: "\n".join(f"{threshold * 100:.4g} {points}" for threshold, points in rows)
        for name, rows in SEED.BANDS.items()
    }
    return {
        **{f"weight_{name}": weight for name, weight in SEED.WEIGHTS.items()},
        **{f"bands_{name}": text for name, text in bands.items()},
        **{f"grade_{name}": least for name, least in SEED.GRADES.items()},
        "minimum_volume": 100,
        "valid_from": first_month_open(timezone.now()).isoformat(),
        "note": "Fairer.",
        **changes,
    }


def test_the_page_opens_with_the_newest_rules(staff_client: Client) -> None:
    response = staff_client.get(f"{RULES}add/")
    form = response.context["form"]
    assert response.status_code == 200
    assert {name: form[name].value() for name in entered() if name not in ("valid_from", "note")} == {
        name: value for name, value in entered().items() if name not in ("valid_from", "note")
    }
    assert "There are no scorecards for that month" in response.content.decode()
    assert 'name="apply"' not in response.content.decode()


def test_rules_are_tried_before_they_are_applied(staff_client: Client, peers: None) -> None:
    others = {f"weight_{name}": 0 for name in SEED.WEIGHTS if name != "delivery_on_time"}
    changed = entered(weight_delivery_on_time=100, grade_gold=100, **others)
    response = staff_client.post(f"{RULES}add/", changed)
    page = response.content.decode()
    assert response.status_code == 200
    assert "Rival Logistics" in page
    assert page.count("ops-changed-grade") == 1
    assert 'name="apply"' in page
    assert ScoreRules.objects.count() == 1
    # Without the preview, or with other rules than those previewed, nothing is applied.
    other = {"weight_lateness": 1, "weight_delivery_on_time": 99}
    for seen, change in (("", {}), (response.context["seen"], other)):
        refused = staff_client.post(f"{RULES}add/", {**changed, **change, "seen": seen, "apply": "yes"})
        assert refused.status_code == 422
        assert "have changed since they were tried" in refused.content.decode()
    assert ScoreRules.objects.count() == 1
    done = staff_client.post(f"{RULES}add/", {**changed, "seen": response.context["seen"], "apply": "yes"})
    assert done["Location"] == RULES
    made = ScoreRules.objects.get(number=2)
    assert (made.weights["delivery_on_time"], made.grades["gold"], made.note) == (100, 100, "Fairer.")
    assert made.bands == SEED.BANDS
    assert made.created_by.email == "staff@alliance.example"
    assert made.valid_from == month_after(month_of(timezone.localdate()))
    assert "Version 2 applies from" in staff_client.get(RULES).content.decode()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"weight_lateness": 10}, "weights", "The weights add up to 95, not to 100."),
        ({"weight_lateness": ""}, "weight_lateness", "required"),
        ({"weight_lateness": "15.5"}, "weight_lateness", "whole number"),
        ({"weight_lateness": "-1"}, "weight_lateness", "from 0 to 100"),
        ({"weight_smiles": 0}, None, "Unknown component “smiles”."),
        ({"bands_smiles": "98 100"}, None, "Unknown component “smiles”."),
        ({"grade_platinum": 99}, None, "Unknown grade “platinum”."),
        ({"bands_lateness": ""}, "bands_lateness", "required"),
        ({"bands_lateness": "1 100 2"}, "bands_lateness", "Line 1: enter a percentage"),
        ({"bands_lateness": "1 100\nfew 50"}, "bands_lateness", "Line 2: enter a percentage"),
        ({"bands_lateness": "1 100\nnan 50"}, "bands_lateness", "Line 2: enter a percentage"),
        ({"bands_lateness": "2 100\n1 50"}, "bands_lateness", "Lower is better here"),
        ({"bands_first_attempt": "90 100\n95 50"}, "bands_first_attempt", "Best first"),
        ({"bands_first_attempt": "95 50\n90 100"}, "bands_first_attempt", "fewer points"),
        ({"bands_first_attempt": "101 100"}, "bands_first_attempt", "from 0 to 100 percent"),
        ({"bands_first_attempt": "95 101"}, "bands_first_attempt", "Points must be whole numbers"),
        ({"grade_silver": 95}, "grade_silver", "Must be below Gold, which needs 85."),
        ({"grade_member": 80}, "grade_member", "Must be below Silver"),
        ({"minimum_volume": 0}, "minimum_volume", "From 1 to"),
        ({"valid_from": "2016-01-01"}, "valid_from", "valid choice"),
        ({"valid_from": "soon"}, "valid_from", "valid choice"),
        ({"note": "x" * 301}, "note", "at most 300"),
    ],
)
def test_invalid_input_is_shown_at_the_field(
    staff_client: Client, change: dict[str, Any], field: str | None, words: str
) -> None:
    response = staff_client.post(f"{RULES}add/", entered(**change, apply="yes"))
    assert response.status_code == 422
    form = response.context["form"]
    errors = {None: form.non_field_errors(), "weights": form.weights_errors, **form.errors}[field]
    assert words in " ".join(errors)
    assert words.split("“")[0] in response.content.decode()
    assert ScoreRules.objects.count() == 1


def test_shares_are_parsed_to_the_exact_numbers_of_rates(staff_client: Client) -> None:
    text = "97.3 100\n97.25 % 90\n 0.7 10 "
    response = staff_client.post(f"{RULES}add/", entered(bands_first_attempt=text))
    staff_client.post(
        f"{RULES}add/", entered(bands_first_attempt=text, seen=response.context["seen"], apply="yes")
    )
    bands = ScoreRules.objects.get(number=2).bands["first_attempt"]
    assert bands == [[0.973, 100], [0.9725, 90], [0.007, 10]]
    assert bands[0][0] == 973 / 1000


def test_announced_rules_are_withdrawn_and_others_stay(staff_client: Client, system: Actor) -> None:
    result = add(system, month_after(first_month_open(timezone.now())), now=timezone.now())
    old = ScoreRules.objects.get(number=1)
    assert staff_client.post(f"{RULES}{old.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff_client.post(f"{RULES}{result.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(ScoreRules.objects.all()) == [old]
    page = staff_client.get(f"{RULES}{old.pk}/change/").content.decode()
    assert "Deliveries on time: ≥ 98.0% 100, ≥ 96.0% 90" in page
    assert staff_client.post(f"{RULES}{old.pk}/change/", {"number": 7}).status_code == 403


def test_ops_look_at_everybodys_months(
    staff_client: Client, peers: None, courier_organisation: Organisation
) -> None:
    page = staff_client.get(CARDS).content.decode()
    assert "Rival Logistics" in page
    assert "Try other rules" in page
    scorecard = card(courier_organisation, LAST)
    page = staff_client.get(f"{CARDS}{scorecard.pk}/change/").content.decode()
    assert "Deliveries on time: 95.00%, n = 1,000, 80" in page
    assert staff_client.post(f"{CARDS}{scorecard.pk}/change/", {"score": 1}).status_code == 403
    assert staff_client.post(f"{CARDS}{scorecard.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"month": f"{LAST:%Y-%m}"}, 3),
        ({"month": "1999-01"}, 3),
        ({"grade__exact": "gold"}, 1),
        ({"grade__exact": "probation"}, 0),
        ({"state": "final"}, 0),
        ({"state": "provisional"}, 3),
        ({"q": "Swift"}, 1),
    ],
)
def test_months_are_filtered(staff_client: Client, peers: None, query: dict[str, str], shown: int) -> None:
    response = staff_client.get(CARDS, query)
    assert len(response.context["cl"].result_list) == shown
