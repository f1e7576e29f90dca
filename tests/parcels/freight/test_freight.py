"""Freight: counted from the parcels, closed with the credits, settled by who is paid, shown to both sides."""

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.api import freight
from parcels.bookings.models import Parcel
from parcels.freight.models import FreightMonth, FreightStatement, FreightSum, Surcharge
from parcels.freight.queries import month_for, months_of, parts_of
from parcels.freight.services.counting import close_freight, count_freight
from parcels.freight.services.settling import Payment, mark_settled, undo_settled
from parcels.freight.services.surcharges import SurchargeTerms, add_surcharge
from slas.credits.accounts import Account
from slas.credits.months import ZONE, next_month, spell
from slas.credits.services.closing import close_month
from tests import factories
from tests.factories import LOTUS, SWIFT
from tests.parcels.helpers.freight import AFTER, MONTH, TEXT, cancel, credit, finish, surcharge
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.commitments import HOUR, NOON

pytestmark = pytest.mark.django_db
URL = f"/freight/{TEXT}/"


def figures(actor: Actor, organisation: Organisation, month: date = MONTH) -> tuple[int, ...]:
    with scope(Scope.of(actor)):
        shown = month_for(Account(organisation, actor), spell(month), now=AFTER)
    return (
        shown.booked_count, shown.fees_fen, shown.cancelled_fen, shown.surcharges_fen, shown.credits_fen,
        shown.total_fen,
    )  # fmt: skip


def test_counting_again_changes_nothing_and_sees_what_came_since(
    merchant: Actor, merchant_organisation: Organisation, courier_organisation: Organisation,
    courier: Actor, booked: list[Parcel],
) -> None:  # fmt: skip
    for _run in range(2):
        count_freight(now=NOON + 2 * HOUR)
        expected = (3, 3_000, 1_000, 0, 0, 2_000)
        assert figures(merchant, merchant_organisation) == expected
        assert figures(courier, courier_organisation) == expected
    with scope(Scope.everything()):
        booked_parcels(merchant_organisation, courier_organisation, booked_at=NOON, fee_fen=77)
    count_freight(now=NOON + 3 * HOUR)
    assert figures(merchant, merchant_organisation)[:2] == (4, 3_077)


def test_a_month_is_final_with_its_credits_and_later_cancellations_are_of_the_next(
    merchant: Actor, merchant_organisation: Organisation, courier: Actor,
    courier_organisation: Organisation, booked: list[Parcel],
) -> None:  # fmt: skip
    count_freight(now=NOON + 2 * HOUR)
    surcharge(courier)
    surcharge(courier, amount_fen=-50, number=booked[0].number)
    credit(booked[0], 300)
    expected = (3, 3_000, 1_000, 200, 300, 1_900)
    assert figures(merchant, merchant_organisation) == expected
    assert close_freight(now=AFTER) == []
    cancel(booked[0], AFTER - HOUR)
    finish()
    finish()
    assert figures(merchant, merchant_organisation) == expected
    with scope(Scope.everything()):
        [row] = FreightStatement.objects.all()
        assert (row.month, row.fees_fen, row.credits_fen) == (MONTH, 3_000, 300)
    later = figures(courier, courier_organisation, next_month(MONTH))
    assert later == (0, 0, 1_000, 0, 0, -1_000)
    with pytest.raises(Conflict):
        surcharge(courier)
    with scope(Scope.of(merchant)):
        months = months_of(Account(merchant_organisation, merchant), now=AFTER)
    assert [(each.month, each.closed_at is not None) for each in months] == [
        (next_month(MONTH), False),
        (MONTH, True),
    ]


def test_a_month_waits_for_all_of_its_days(booked: list[Parcel]) -> None:
    count_freight(now=NOON + 2 * HOUR)
    with scope(Scope.everything()):
        close_month(actor=Actor.system("test"), month=MONTH, now=AFTER)
    assert close_freight(now=AFTER) == []
    count_freight(now=AFTER)
    with scope(Scope.everything()):
        assert FreightStatement.objects.count() == 1


def test_sums_of_days_go_some_months_after_their_statements_were_written(
    merchant_organisation: Organisation, courier_organisation: Organisation, booked: list[Parcel]
) -> None:
    finish()
    months = [MONTH]
    for _month in range(4):
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    _newest, _second, kept, gone, never_final = months
    with scope(Scope.everything()):
        sums = {"merchant": merchant_organisation, "courier_id": courier_organisation.pk}
        for day in (kept, gone, never_final):
            FreightSum.objects.create(
                **sums, day=day, month=day, tier_id=booked[0].tier_id, booked_count=1,
                fees_fen=1, cancelled_count=0, cancelled_fen=0,
            )  # fmt: skip
            if day != never_final:
                FreightMonth.objects.create(month=day)
        FreightMonth.objects.filter(pk=MONTH).delete()
    assert close_freight(now=AFTER) == [MONTH]
    with scope(Scope.everything()):
        left = set(FreightSum.objects.values_list("day", flat=True))
    assert left == {NOON.astimezone(ZONE).date(), kept, never_final}


def test_surcharges_are_the_couriers_and_of_its_customers(
    merchant: Actor, courier: Actor, booked: list[Parcel], rival_merchant: Organisation
) -> None:
    count_freight(now=NOON + 2 * HOUR)
    terms = SurchargeTerms(MONTH, LOTUS, 1, "x")
    with scope(Scope.of(merchant)), pytest.raises(NotPermitted):
        add_surcharge(actor=merchant, courier_id=courier.tenant_id, terms=terms, now=NOON)
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"merchant": "nobody"}, "/merchant", "unknown"),
        # Who has booked nothing with a courier is not known to it.
        ({"merchant": rival_merchant.public_id}, "/merchant", "unknown"),
        ({"number": "CA0000000000"}, "/tracking_number", "unknown"),
        ({"amount_fen": 0}, "/amount", "range"),
        ({"reason": " "}, "/reason", "required"),
        ({"month": next_month(MONTH)}, "/month", "future"),
    ]
    for given, pointer, code in wrong:
        with pytest.raises(InvalidInput) as refused:
            surcharge(courier, **given)
        assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]
    with scope(Scope.everything()):
        assert not Surcharge.objects.exists()


def test_the_payee_settles_once_and_can_take_it_back(
    merchant: Actor, courier: Actor, rival_merchant: Organisation, booked: list[Parcel]
) -> None:
    finish()
    with scope(Scope.everything()):
        pk = FreightStatement.objects.get().pk
    payment = Payment(AFTER.astimezone(ZONE).date(), " TT-1 ", "")
    with scope(Scope.of(merchant)), pytest.raises(NotPermitted):
        mark_settled(actor=merchant, statement_id=pk, payment=payment, now=AFTER)
    with scope(Scope.of(courier)):
        for day in (payment.on + timedelta(days=1), MONTH - timedelta(days=1)):
            with pytest.raises(InvalidInput):
                mark_settled(actor=courier, statement_id=pk, payment=Payment(day), now=AFTER)
        settled = mark_settled(actor=courier, statement_id=pk, payment=payment, now=AFTER)
        assert (settled.settled_reference, settled.settled_on) == ("TT-1", payment.on)
        with pytest.raises(Conflict):
            mark_settled(actor=courier, statement_id=pk, payment=payment, now=AFTER)
        with pytest.raises(NotFound):
            undo_settled(actor=courier, statement_id=pk + 1, reason="x")
        assert undo_settled(actor=courier, statement_id=pk, reason="Bounced").settled_at is None
        with pytest.raises(Conflict):
            undo_settled(actor=courier, statement_id=pk, reason="Bounced")
    with scope(Scope.everything()):
        verbs = AuditEntry.objects.filter(verb__startswith="freight.").order_by("pk")
        assert [entry.verb for entry in verbs] == ["freight.settled", "freight.unsettled"]


def test_counterparties_come_page_by_page(
    courier: Actor, courier_organisation: Organisation, booked: list[Parcel]
) -> None:
    merchants = [factories.merchant_organisation(f"Merchant {n}") for n in range(4)]
    with scope(Scope.everything()):
        for each in merchants:
            booked_parcels(each, courier_organisation, booked_at=NOON, fee_fen=each.pk)
    count_freight(now=NOON + 2 * HOUR)
    surcharge(courier, merchant=merchants[3].public_id)
    account, found, after = Account(courier_organisation, courier), [], 0
    with scope(Scope.of(courier)):
        month = month_for(account, TEXT, now=NOON)
        while page := parts_of(account, month, after=after, limit=2):
            found += [part.total_fen for part in page]
            after = page[-1].organisation.pk  # type: ignore[union-attr]
    assert sorted(found) == sorted([2_000, *[each.pk for each in merchants[:3]], merchants[3].pk + 250])
    assert sum(found) == month.total_fen


def test_the_pages_and_files_of_both_sides_say_the_same(
    merchant_client: Client, courier_client: Client, courier: Actor, booked: list[Parcel],
    in_its_month: None,
) -> None:  # fmt: skip
    assert "nothing has been counted yet" in merchant_client.get("/freight/").content.decode()
    count_freight(now=NOON + 2 * HOUR)
    posted = courier_client.post(
        URL, {"merchant": LOTUS, "amount": "2,50", "reason": "=1+1", "tracking_number": ""}
    )
    assert posted.status_code == 422
    assert posted.context["form"].errors
    added = {
        "merchant": LOTUS,
        "amount": "-2.50",
        "reason": "=1+1",
        "tracking_number": booked[0].number,
    }
    assert courier_client.post(URL, added).status_code == 302
    assert merchant_client.post(URL, added).status_code == 409
    for client in (merchant_client, courier_client):
        for url in ("/freight/", URL):
            page = client.get(url).content.decode()
            assert "17.50" in page
        content = b"".join(client.get(f"{URL}csv/").streaming_content).decode("utf-8-sig")
        lines = list(csv.DictReader(io.StringIO(content)))
        kinds = [line["entry"] for line in lines]
        assert kinds == ["fee"] * 3 + ["cancellation", "surcharge"]
        assert round(sum(float(line["amount"]) for line in lines), 2) == 17.5
        assert lines[-1]["note"] == "'=1+1"
        sheet = b"".join(client.get(f"{URL}xlsx/").streaming_content)
        rows = CalamineWorkbook.from_filelike(io.BytesIO(sheet)).get_sheet_by_index(0).to_python()
        assert [row[0] for row in rows] == ["entry", *kinds]
        paper = PdfReader(io.BytesIO(client.get(f"{URL}pdf/").content)).pages[0].extract_text()
        assert "17.50" in paper
    assert merchant_client.get("/freight/2020-01/").status_code == 404
    assert merchant_client.get("/freight/now/").status_code == 422


def test_the_page_of_a_settlement(
    merchant_client: Client, courier_client: Client, ops_client: Client, booked: list[Parcel]
) -> None:
    finish()
    with scope(Scope.everything()):
        pk = FreightStatement.objects.get().pk
    url, day = f"/freight/settlements/{pk}/", MONTH.isoformat()
    assert "Not settled" in merchant_client.get(url).content.decode()
    assert merchant_client.post(url, {"settled_on": day}).status_code == 409
    assert courier_client.post(url, {"settled_on": "soon"}).status_code == 422
    assert courier_client.post(url, {"settled_on": day, "reference": "TT-9"}).status_code == 302
    assert "TT-9" in merchant_client.get(url).content.decode()
    assert courier_client.post(url, {"reason": ""}).status_code == 422
    assert courier_client.post(url, {"reason": "Bounced"}).status_code == 302
    assert "Not settled" in merchant_client.get(url).content.decode()
    with scope(Scope.everything()):
        assert FreightSum.objects.exists()
    text = ops_client.get(url).content.decode()
    *_parents, back = re.findall(r'class="breadcrumb-item"><a href="([^"]+)"', text)
    assert ops_client.get(back).status_code == 200


def test_the_api_says_the_same_to_both_sides(
    merchant: Actor, courier: Actor, booked: list[Parcel], in_its_month: None,
    courier_organisation: Organisation, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    other = factories.merchant_organisation("Merchant 2")
    with scope(Scope.everything()):
        booked_parcels(other, courier_organisation, booked_at=NOON, fee_fen=5)
    count_freight(now=NOON + 2 * HOUR)
    url = "/api/v1/freight-statements"
    api = factories.api_client(merchant, {"finance:read"})
    [month] = api.get(url).json()["results"]
    assert (month["month"], month["state"], month["amount_due"]) == (TEXT, "open", "20.00")
    [part] = api.get(f"{url}/{TEXT}").json()["by_counterparty"]
    assert (part["code"], part["cancellations"], part["settled_on"]) == (SWIFT, "-10.00", None)
    monkeypatch.setattr(freight, "PARTS", 1)
    theirs = factories.api_client(courier, {"finance:read"})
    first = theirs.get(f"{url}/{TEXT}").json()
    assert first["amount_due"] == "20.05"
    second = theirs.get(first["next_counterparties"]).json()
    parts = [*first["by_counterparty"], *second["by_counterparty"]]
    assert sorted(each["amount_due"] for each in parts) == ["0.05", "20.00"]
    assert second["next_counterparties"] is None
    assert theirs.get(f"{url}/{TEXT}?cursor=x").status_code == 422
    assert api.get(f"{url}/2020-01").status_code == 404
