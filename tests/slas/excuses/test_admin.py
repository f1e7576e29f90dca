"""The admin: breaches excused directly, claims decided by filter, events declared and applied."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alliance.identifiers import tracking_number
from alliance.models import Member, Organisation, User
from alliance.tenancy import Actor
from slas.admin.excuses import ExcuseAdmin
from slas.excuses.services.decisions import excuse_breach
from slas.excuses.services.permissions import CUSTOMER_SERVICE, PERMISSION
from slas.models import Commitment, Excuse
from slas.rates.services.folding import fold_tallies
from tests import factories
from tests.parcels.helpers.parcel_views import text_of
from tests.slas.helpers.commitments import DELIVERY, NOON, Lane, assert_books_agree, reach
from tests.slas.helpers.excuses import agent_of, at_browser, claimed, late_parcel, service_user, states

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]
BREACHES = "/admin/slas/breachlisting/"
DECIDE = "/admin/slas/excuse/decide/"
LIST = "/admin/slas/excuse/"
DISRUPTIONS = "/admin/slas/disruption/"


@pytest.fixture
def late(lane: Lane) -> int:
    return late_parcel(lane)


@pytest.fixture
def agent(lane: Lane) -> Actor:
    return agent_of(lane.courier)


@pytest.fixture
def service_client() -> Client:
    return at_browser(service_user())


@pytest.fixture
def staff_client() -> Client:
    return at_browser(factories.staff_user("staff@alliance.example"))


class TestBreaches:
    def test_rows_are_listed_and_searched_by_number(self, lane: Lane, late: int, ops_client: Client) -> None:
        other = late_parcel(lane)
        assert tracking_number(late) in ops_client.get(BREACHES).content.decode()
        page = ops_client.get(BREACHES, {"q": tracking_number(late).lower()}).content.decode()
        assert tracking_number(late) in page
        assert tracking_number(other) not in page
        typo = ops_client.get(BREACHES, {"q": "CA123"})
        assert typo.status_code == 200
        assert tracking_number(late) not in typo.content.decode()

    @pytest.mark.parametrize("state", ["open", "excused", "withdrawn"])
    def test_are_filtered_by_state(
        self, lane: Lane, late: int, system: Actor, ops_client: Client, state: str
    ) -> None:
        parcels = {"open": late, "excused": late_parcel(lane), "withdrawn": late_parcel(lane)}
        excuse_breach(actor=system, parcel_id=parcels["excused"], kind=DELIVERY, reason="weather")
        reach(parcels["withdrawn"], NOON)
        page = ops_client.get(BREACHES, {"state": state}).content.decode()
        shown = {name for name, parcel_id in parcels.items() if tracking_number(parcel_id) in page}
        assert shown == {state}

    @pytest.mark.parametrize(
        "page", ["breachlisting", "commitmentlisting", "excuse", "ontimerate", "ontimerate/?cells=couriers"]
    )
    def test_pages_open_with_rows(self, late: int, system: Actor, ops_client: Client, page: str) -> None:
        excuse_breach(actor=system, parcel_id=late, kind=DELIVERY, reason="weather")
        fold_tallies()
        assert ops_client.get(f"/admin/slas/{page}", follow=True).status_code == 200

    @pytest.mark.parametrize("page", ["breachlisting", "commitmentlisting"])
    def test_one_row_is_shown_by_its_key(self, late: int, ops_client: Client, page: str) -> None:
        response = ops_client.get(f"/admin/slas/{page}/{late}_3Adelivery/change/")
        assert response.status_code == 200
        assert tracking_number(late) in response.content.decode()
        assert ops_client.get(f"/admin/slas/{page}/nonsense/change/").status_code == 302
        for key in ("²:delivery", "1:%00", f"{'9' * 5000}:delivery", "1:lunch", f"{2**63}:delivery"):
            assert ops_client.get(f"/admin/slas/{page}/{key}/change/").status_code == 302

    def test_breaches_are_excused_with_a_reason(
        self, lane: Lane, late: int, ops_client: Client, ops_user: User
    ) -> None:
        other = late_parcel(lane)
        ticked = {"action": "excuse", "_selected_action": [f"{late}:delivery"]}
        response = ops_client.post(BREACHES, ticked)
        assert "Exempt breaches" in response.content.decode()
        assert not Excuse.objects.exists()
        unanswered = ops_client.post(BREACHES, {**ticked, "decide": "yes", "keys": f"{late}:delivery"})
        assert "This field is required" in unanswered.content.decode()
        answer = {"decide": "yes", "keys": f"{late}:delivery", "reason": "weather", "note": "Typhoon"}
        done = ops_client.post(BREACHES, {**ticked, **answer}, follow=True)
        assert "1 breach was exempted." in done.content.decode()
        claim = Excuse.objects.get()
        assert (claim.parcel_id, claim.reason, claim.note, claim.decided_by) == (
            late,
            "weather",
            "Typhoon",
            ops_user,
        )
        assert Commitment.objects.get(parcel_id=late).excused
        assert not Commitment.objects.get(parcel_id=other).excused

    def test_that_cannot_be_excused_are_counted(
        self, lane: Lane, late: int, agent: Actor, ops_client: Client
    ) -> None:
        waiting, gone = late_parcel(lane), late_parcel(lane)
        claimed(agent, waiting)
        reach(gone, NOON)
        keys = " ".join(f"{parcel_id}:delivery" for parcel_id in (late, waiting, gone))
        answer = {"decide": "yes", "keys": keys, "reason": "disaster", "note": ""}
        ticked = {"action": "excuse", "_selected_action": [f"{late}:delivery"]}
        text = text_of(ops_client.post(BREACHES, {**ticked, **answer}, follow=True))
        for said in (
            "1 breach was exempted.",
            "1 is no longer a breach.",
            "1 has a request from its courier",
        ):
            assert said in text
        again = text_of(ops_client.post(BREACHES, {**ticked, **answer}, follow=True))
        assert "was exempted." not in again
        assert "1 was already exempt." in again

    def test_all_of_the_filtered_list_are_excused(self, lane: Lane, late: int, ops_client: Client) -> None:
        late_parcel(lane)
        across = {"action": "excuse", "_selected_action": [f"{late}:delivery"], "select_across": "1"}
        assert "2 breaches will be left out" in ops_client.post(BREACHES, across).content.decode()

    def test_staff_without_the_role_cannot(self, late: int, staff_client: Client) -> None:
        assert "Exemption: not the courier" not in staff_client.get(BREACHES).content.decode()
        answer = {"decide": "yes", "keys": f"{late}:delivery", "reason": "weather", "note": ""}
        staff_client.post(BREACHES, {"action": "excuse", "_selected_action": [f"{late}:delivery"], **answer})
        assert states() == []

    def test_are_closed_to_members(self, late: int, courier_client: Client) -> None:
        for url in (BREACHES, DECIDE, DISRUPTIONS):
            assert courier_client.get(url).status_code in (302, 403)


class TestDeciding:
    @pytest.fixture
    def claims(self, lane: Lane, agent: Actor) -> list[Excuse]:
        reasons = ["weather", "weather", "disaster", "consignee_absent"]
        return [claimed(agent, late_parcel(lane), reason=reason) for reason in reasons]

    def preview(self, client: Client, **query: Any) -> Any:
        response = client.get(DECIDE, query)
        assert response.status_code == 200
        return response.context

    def decide(self, client: Client, decision: str, note: str = "", **query: Any) -> Any:
        newest = self.preview(client, **query)["form"].initial["newest"]
        url = f"{DECIDE}?{'&'.join(f'{name}={value}' for name, value in query.items())}"
        return client.post(url, {"decision": decision, "note": note, "newest": newest}, follow=True)

    def test_a_preview_counts_before_anything_is_done(
        self, claims: list[Excuse], service_client: Client, lane: Lane
    ) -> None:
        context = self.preview(service_client)
        assert context["count"] == 4
        assert [lines for _label, lines in context["summaries"]] == [
            [("Weather", 2), ("Recipient absent at an announced time", 1), ("Disaster", 1)],
            [("Swift Express", 4)],
            [("The courier", 4)],
        ]
        assert [row.pk for row in context["rows"]] == [excuse.pk for excuse in claims]
        assert [state for state, _source, _reason in states()] == ["claimed"] * 4

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"reason": "weather"}, 2),
            ({"source": "event"}, 0),
            ({"kind": "pickup"}, 0),
            ({"state": "granted"}, 0),
            ({"first": "2016-01-01", "last": "2016-02-01"}, 0),
            ({"first": "2016-01-01"}, 4),
        ],
        ids=str,
    )
    def test_filters(
        self, claims: list[Excuse], service_client: Client, query: dict[str, str], found: int
    ) -> None:
        assert self.preview(service_client, **query)["count"] == found

    def test_filter_by_courier_and_by_selection(
        self, claims: list[Excuse], service_client: Client, lane: Lane, rival_courier: Organisation
    ) -> None:
        assert self.preview(service_client, courier=lane.courier.pk)["count"] == 4
        assert self.preview(service_client, courier=rival_courier.pk)["count"] == 0
        assert self.preview(service_client, ids=f"{claims[0].key},{claims[2].key}")["count"] == 2

    @pytest.mark.parametrize(
        "query",
        [
            {"reason": "odd"},
            {"first": "yesterday"},
            {"first": "2026-02-02", "last": "2026-02-01"},
            {"first": "0001-01-01"},
            {"ids": "1;DROP"},
            {"ids": "17"},
            {"ids": f"1-{2**63}"},
            {"courier": "999999999"},
        ],
        ids=str,
    )
    def test_invalid_filters_match_no_excuse(
        self, claims: list[Excuse], service_client: Client, query: dict[str, str]
    ) -> None:
        response = service_client.get(DECIDE, query)
        assert response.status_code == 422
        assert response.context["count"] == 0
        assert list(query)[-1] in response.context["filter"].errors

    def test_all_matching_excuses_are_decided_at_once(
        self, claims: list[Excuse], service_client: Client
    ) -> None:
        result = self.decide(service_client, "grant", reason="weather")
        assert "2 exemptions were decided." in text_of(result)
        assert [state for state, _source, _reason in states()] == ["granted", "granted", "claimed", "claimed"]
        result = self.decide(service_client, "decline", "No proof")
        assert "2 exemptions were decided." in text_of(result)
        result = self.decide(service_client, "revoke", "A mistake", state="granted")
        assert "2 exemptions were decided." in text_of(result)
        assert [state for state, _source, _reason in states()] == ["revoked"] * 2 + ["declined"] * 2
        fold_tallies()
        assert_books_agree()

    def test_lapsed_excuses_are_reported(self, claims: list[Excuse], service_client: Client) -> None:
        reach(claims[0].parcel_id, NOON)
        text = text_of(self.decide(service_client, "grant"))
        assert "3 exemptions were decided." in text
        assert "1 exemption lapsed: the breach was withdrawn." in text

    def test_excuses_newer_than_the_preview_are_not_decided(
        self, claims: list[Excuse], service_client: Client, lane: Lane, agent: Actor
    ) -> None:
        newest = self.preview(service_client)["form"].initial["newest"]
        claimed(agent, late_parcel(lane))
        service_client.post(DECIDE, {"decision": "grant", "note": "", "newest": newest})
        assert [state for state, _source, _reason in states()] == ["granted"] * 4 + ["claimed"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"decision": "decline"}, "Enter a reason: both parties read it."),
            ({"decision": "shrug"}, "Select a valid choice"),
            ({"decision": "revoke", "note": "x"}, "Select a valid choice"),
            ({"note": "x"}, "This field is required"),
            ({"decision": "grant", "note": "x" * 2001}, "at most 2000 characters"),
            ({"decision": "grant", "newest": "x"}, "Enter a whole number"),
        ],
        ids=str,
    )
    def test_invalid_decisions_are_shown_in_the_form(
        self, claims: list[Excuse], service_client: Client, changes: dict[str, str], message: str
    ) -> None:
        response = service_client.post(DECIDE, {"newest": "999999", **changes})
        assert response.status_code == 422
        assert message in str(response.context["form"].errors)
        assert {state for state, _source, _reason in states()} == {"claimed"}

    def test_a_member_of_the_courier_is_refused(self, claims: list[Excuse], lane: Lane) -> None:
        user = service_user()
        Member.objects.create(organisation=lane.courier, user=user, role="viewer")
        client = at_browser(user)
        response = client.post(DECIDE, {"decision": "grant", "note": "", "newest": "999999"})
        assert "another person must decide" in text_of(response)
        assert {state for state, _source, _reason in states()} == {"claimed"}

    def test_staff_without_the_role_are_refused(self, claims: list[Excuse], staff_client: Client) -> None:
        assert DECIDE not in staff_client.get(LIST).content.decode()
        assert staff_client.get(DECIDE).status_code == 403
        assert staff_client.post(DECIDE, {"decision": "grant", "newest": "999999"}).status_code == 403
        page = staff_client.get(f"/admin/slas/excuse/{claims[0].pk}/change/").content.decode()
        assert "decide-one" not in page
        assert {state for state, _source, _reason in states()} == {"claimed"}

    def test_one_alone_and_those_ticked_lead_there(
        self, claims: list[Excuse], service_client: Client
    ) -> None:
        page = service_client.get(f"/admin/slas/excuse/{claims[1].pk}/change/")
        assert "decide-one" in page.content.decode()
        one = service_client.get(reverse("admin:slas_excuse_decide_one", args=[claims[1].pk]))
        assert self.preview(service_client, ids=claims[1].key)["count"] == 1
        assert one["Location"] == f"{reverse('admin:slas_excuse_decide')}?ids={claims[1].key}&state=claimed"
        missing = reverse("admin:slas_excuse_decide_one", args=[claims[-1].pk + 1])
        assert service_client.get(missing).status_code == 404
        ticked = {"action": "decide_on_chosen", "_selected_action": [claims[0].pk, claims[3].pk]}
        response = service_client.post(LIST, ticked)
        assert response.context["count"] == 2

    def test_those_chosen_on_the_list_are_decided_on_and_no_others(
        self, claims: list[Excuse], service_client: Client
    ) -> None:
        ticked = {"action": "decide_on_chosen", "_selected_action": [claims[0].pk, claims[3].pk]}
        self.carry_out(service_client, service_client.post(LIST, ticked))
        assert [excuse.pk for excuse in Excuse.objects.filter(state="granted").order_by("pk")] == [
            claims[0].pk,
            claims[3].pk,
        ]

    def test_the_link_of_a_breach_page_leads_to_its_decision(
        self, claims: list[Excuse], service_client: Client
    ) -> None:
        page = service_client.get(DECIDE, {"ids": claims[2].key})
        self.carry_out(service_client, page)
        assert [excuse.pk for excuse in Excuse.objects.filter(state="granted")] == [claims[2].pk]

    def test_all_across_the_pages_of_a_filtered_list_are_carried_along(
        self, claims: list[Excuse], service_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ExcuseAdmin, "list_per_page", 1)
        # Nobody counts them, so the page does not say how many.
        assert "Select all matching exemptions" in text_of(
            service_client.get(f"{LIST}?reason__exact=weather")
        )
        one_ticked = {
            "action": "decide_on_chosen", "_selected_action": [claims[0].pk], "select_across": "1",
        }  # fmt: skip
        page = service_client.post(f"{LIST}?reason__exact=weather", one_ticked)
        assert page.context["count"] == 2
        self.carry_out(service_client, page)
        granted = Excuse.objects.filter(state="granted")
        assert set(granted.values_list("reason", flat=True)) == {"weather"}
        assert granted.count() == 2

    def carry_out(self, client: Client, page: Any) -> None:
        """Submit the form of a decision page, with its hidden fields."""
        hidden = dict(re.findall(r'name="(chosen_\w+)" value="([^"]*)"', page.content.decode()))
        newest = page.context["form"].initial["newest"]
        response = client.post(DECIDE, {**hidden, "decision": "grant", "note": "", "newest": newest})
        # Not to the same form, which would go on with all that wait.
        assert (response.status_code, response["Location"]) == (302, LIST)

    def test_unknown_filter_decides_no_excuse(self, claims: list[Excuse], service_client: Client) -> None:
        misspelt = f"{DECIDE}?reasons=weather"
        response = service_client.get(misspelt)
        assert response.status_code == 422
        assert response.context["count"] == 0
        assert "Unknown filter “reasons”." in text_of(response)
        sent = {"decision": "grant", "note": "", "newest": "999999"}
        assert service_client.post(misspelt, sent).status_code == 422
        assert {state for state, _source, _reason in states()} == {"claimed"}


def test_the_role_is_a_group_superusers_give(ops_client: Client, staff_client: Client) -> None:
    group = Group.objects.get(name=CUSTOMER_SERVICE)
    names = set(group.permissions.values_list("codename", flat=True))
    assert {name for name in names if not name.startswith("view_")} == {PERMISSION.split(".")[1], "look_up"}
    user = factories.user("new@alliance.example", is_staff=True)
    address = f"/admin/alliance/user/{user.pk}/change/"
    given = {"name": "New", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
    assert ops_client.post(address, given).status_code == 302
    assert user.has_perm(PERMISSION) is True
    assert staff_client.post(address, given).status_code == 403


def test_front_page_counts_waiting_claims(lane: Lane, agent: Actor, late: int, ops_client: Client) -> None:
    claimed(agent, late, now=timezone.now() - timedelta(days=2))
    text = text_of(ops_client.get("/admin/"))
    assert "Exemption requests waiting 1 Oldest: 2" in text.replace("\N{NO-BREAK SPACE}", " ")
