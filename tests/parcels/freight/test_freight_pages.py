"""The lines on the page of a month, withdrawing a surcharge there, and ops' lists."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from alliance.models import Organisation, User
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.models import Parcel
from parcels.freight.models import FreightStatement, Surcharge
from parcels.freight.services.counting import count_freight
from parcels.portal import freight_lines
from slas.credits.months import ZONE
from tests import factories
from tests.factories import LOTUS
from tests.parcels.helpers.freight import AFTER, TEXT, credit, finish, surcharge
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.commitments import HOUR, NOON

pytestmark = pytest.mark.django_db
URL = f"/freight/{TEXT}/"
STATEMENTS = "/admin/parcels/freightstatement/"


def lines(page: str) -> list[str]:
    """The first cell of each line on a page: what it is."""
    table = page.partition('id="lines"')[2]
    return re.findall(r'data-label="What"><div class="ca-break">(?:<a [^>]*>)?(\w+)', table)


def next_page(page: str) -> str:
    return re.search(r'rel="next" href="([^"#]+)#lines"', page)[1].replace("&amp;", "&")  # type: ignore[index]


def test_lines_stand_on_the_page_of_the_month_by_kind_and_in_pages(
    merchant_client: Client, ops_client: Client, courier: Actor, booked: list[Parcel], in_its_month: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(freight_lines, "PAGE", 4)
    count_freight(now=NOON + 2 * HOUR)
    surcharge(courier)
    credit(booked[0], 300)
    for client, whose in ((merchant_client, ""), (ops_client, f"?organisation={LOTUS}")):
        first = client.get(f"{URL}{whose}").content.decode()
        assert lines(first) == ["Fee"] * 3 + ["Cancellation"]
        second = client.get(f"{URL}{next_page(first)}").content.decode()
        assert lines(second) == ["Surcharge", "Credit"]
        assert "First page" in second
    only = merchant_client.get(f"{URL}?kind=credit").content.decode()
    assert lines(only) == ["Credit"]
    assert merchant_client.get(f"{URL}?kind=credit&line=fee~1").status_code == 422
    assert merchant_client.get(f"{URL}?kind=other").status_code == 422
    assert merchant_client.get(f"{URL}?after=1").status_code == 422


def test_the_courier_withdraws_a_surcharge_on_its_page(
    merchant_client: Client, courier_client: Client, courier: Actor, booked: list[Parcel], in_its_month: None
) -> None:
    count_freight(now=NOON + 2 * HOUR)
    url = f"/freight/surcharges/{surcharge(courier).pk}/"
    assert url in merchant_client.get(URL).content.decode()
    assert "Withdraw" not in merchant_client.get(url).content.decode()
    assert merchant_client.post(url, {"reason": "x"}).status_code == 409
    assert courier_client.post(url, {"reason": " "}).status_code == 422
    assert courier_client.post(url, {"reason": "Entered twice"}).status_code == 302
    assert courier_client.post(url, {"reason": "Entered twice"}).status_code == 409
    page = merchant_client.get(URL).content.decode()
    assert "takes back another" in page
    with scope(Scope.everything()):
        assert [each.amount_fen for each in Surcharge.objects.order_by("pk")] == [250, -250]


@pytest.fixture
def finance_client() -> Client:
    """Staff in the group Finance."""
    user = User.objects.create_user(
        "books@alliance.example", "same-day-next-day", name="Books", is_staff=True
    )
    user.groups.add(Group.objects.get(name="Finance"))
    return factories.logged_in(user)


def test_finance_settles_a_selection_after_it_was_asked(
    finance_client: Client, courier_organisation: Organisation, booked: list[Parcel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("django.utils.timezone.now", lambda: AFTER)
    others = [factories.merchant_organisation(f"Merchant {n}") for n in range(2)]
    with scope(Scope.everything()):
        for other in others:
            booked_parcels(other, courier_organisation, booked_at=NOON, fee_fen=5)
    finish()
    with scope(Scope.everything()):
        keys = list(FreightStatement.objects.order_by("pk").values_list("pk", flat=True))
    assert (
        "Merchant 1" in finance_client.get(STATEMENTS, {"q": "Merchant 1", "settled": "no"}).content.decode()
    )
    assert "Merchant 1" not in finance_client.get(STATEMENTS, {"settled": "yes"}).content.decode()
    assert finance_client.get(STATEMENTS, {"of": "2020-01"}).status_code == 200
    ticked = {"action": "settle", "_selected_action": keys[:2]}
    asked = finance_client.post(STATEMENTS, ticked).content.decode()
    assert "2 statements" in asked
    day = AFTER.astimezone(ZONE).date().isoformat()
    answer = {
        "action": "settle",
        "settle": "yes",
        "_selected_action": keys[:1],
        "keys": f"{keys[0]} {keys[1]}",
    }
    assert finance_client.post(STATEMENTS, {**answer, "settled_on": "2098-01-01"}).status_code == 422
    done = finance_client.post(STATEMENTS, {**answer, "settled_on": day, "reference": "TT-7"}, follow=True)
    assert "2 statements were settled" in done.content.decode()
    with scope(Scope.everything()):
        settled = FreightStatement.objects.filter(settled_reference="TT-7").order_by("pk")
        assert list(settled.values_list("pk", flat=True)) == keys[:2]
    again = finance_client.post(
        STATEMENTS, {**answer, "keys": " ".join(map(str, keys)), "settled_on": day}, follow=True
    )
    assert "2 were settled already" in again.content.decode()
    change = finance_client.get(f"{STATEMENTS}{keys[0]}/change/").content.decode()
    assert 'name="_save"' not in change


def test_ops_choose_whose_freight_in_the_admin(
    ops_client: Client, courier: Actor, booked: list[Parcel]
) -> None:
    assert ops_client.get("/freight/")["Location"] == STATEMENTS
    assert "/admin/parcels/surcharge/" in ops_client.get("/admin/").content.decode()
    count_freight(now=NOON + 2 * HOUR)
    surcharge(courier)
    listed = ops_client.get("/admin/parcels/surcharge/", {"q": "swift", "of": TEXT}).content.decode()
    assert "Remote area" in listed
