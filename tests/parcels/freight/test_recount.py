"""A month counted again by plain SQL: every door says the same, to the fen, across its end."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pypdf import PdfReader
from python_calamine import CalamineWorkbook
from rest_framework.test import APIClient

from alliance.errors import Conflict
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.bookings.models import Parcel
from parcels.freight.models import FreightStatement, Surcharge
from parcels.freight.services.counting import count_freight
from parcels.freight.services.settling import Payment, mark_settled, undo_settled
from parcels.freight.services.surcharges import withdraw_surcharge
from slas.credits.months import ZONE, next_month, spell, start_of
from tests import factories
from tests.parcels.helpers.freight import AFTER, MONTH, TEXT, cancel, credit, finish, surcharge
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.commitments import HOUR, NOON
from tests.slas.helpers.offers import in_threads

NEXT = next_month(MONTH)
# By the time of booking, not by the id that carries it.
DUE = """
SELECT sum(fen)::bigint FROM (
    SELECT fee_fen AS fen FROM parcels_parcel
    WHERE {column} = %(id)s AND booked_at >= %(start)s AND booked_at < %(end)s
    UNION ALL
    SELECT -fee_fen FROM parcels_parcel
    WHERE {column} = %(id)s AND cancelled_at >= %(start)s AND cancelled_at < %(end)s
) AS line
"""
# Beside the parcels: on a cluster these are elsewhere.
MORE = (
    "SELECT coalesce(sum(amount_fen), 0)::bigint FROM {table} WHERE {column} = %(id)s AND month = %(month)s"
)


def fen(text: object) -> int:
    return int(Decimal(str(text).replace(",", "")) * 100)


def recounted(organisation: Organisation, column: str, month: object = MONTH) -> int:
    of = {"id": organisation.pk, "month": month, "start": start_of(month), "end": start_of(next_month(month))}  # type: ignore[arg-type]
    with scope(Scope.everything()):
        [(due,)] = raw_rows(DUE.format(column=column), of)
        [(more,)] = raw_rows(MORE.format(table="parcels_surcharge", column=column), of)
        [(credits_,)] = raw_rows(MORE.format(table="slas_creditentry", column=column), of)
    return int(due or 0) + int(more) - int(credits_)


def told(page: Client, api: APIClient, text: str) -> Iterator[tuple[str, int]]:
    """What each door says is due."""
    url, address = f"/freight/{text}/", f"/api/v1/freight-statements/{text}"
    shown = page.get(url).content.decode()
    yield "page", fen(re.search(r'class="num"[^>]*><strong>([-0-9,.]+)<', shown)[1])  # type: ignore[index]
    for client, path in ((page, f"{url}csv/"), (api, f"{address}/csv")):
        content = b"".join(client.get(path).streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
        yield path, sum(fen(line["amount"]) for line in csv.DictReader(io.StringIO(content)))
    sheet = b"".join(page.get(f"{url}xlsx/").streaming_content)  # type: ignore[attr-defined]
    rows = CalamineWorkbook.from_filelike(io.BytesIO(sheet)).get_sheet_by_index(0).to_python()
    yield "XLSX", sum(fen(row[6]) for row in rows[1:])
    if text == TEXT:
        # Slow to draw.
        paper = PdfReader(io.BytesIO(api.get(f"{address}/pdf").content)).pages[0].extract_text()
        yield "PDF", fen(re.search(r"Due[^0-9-]*(-?[0-9,]+\.[0-9]{2})", paper)[1])  # type: ignore[index]
    yield "API", fen(api.get(address).json()["amount_due"])
    yield "lines", sum(fen(line["amount"]) for line in api.get(f"{address}/lines").json()["results"])


@pytest.mark.django_db
def test_every_door_says_what_sql_says_across_the_end_of_a_month(
    merchant: Actor, merchant_organisation: Organisation, merchant_client: Client,
    courier: Actor, courier_organisation: Organisation, courier_client: Client,
    booked: list[Parcel], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    end = start_of(NEXT)
    with scope(Scope.everything()):
        pair = (merchant_organisation, courier_organisation)
        # The last millisecond of the month, and the first one of the next.
        [last] = booked_parcels(*pair, booked_at=end - timedelta(milliseconds=1), fee_fen=701)
        [first] = booked_parcels(*pair, booked_at=end, fee_fen=903)
    cancel(last, end)
    credit(booked[0], 333)
    count_freight(now=end - HOUR)
    surcharge(courier, amount_fen=1)
    surcharge(courier, amount_fen=-29, number=last.number, now=AFTER - timedelta(minutes=1))
    count_freight(now=AFTER)
    monkeypatch.setattr("django.utils.timezone.now", lambda: AFTER)
    doors = [
        (
            merchant_client,
            factories.api_client(merchant, {"finance:read"}),
            merchant_organisation,
            "merchant_id",
        ),
        (courier_client, factories.api_client(courier, {"finance:read"}), courier_organisation, "courier_id"),
    ]

    def compare() -> list[int]:
        sums = []
        for page, api, organisation, column in doors:
            for month in (MONTH, NEXT):
                due = recounted(organisation, column, month)
                said = dict(told(page, api, spell(month)))
                assert said == dict.fromkeys(said, due)
                sums.append(due)
        return sums

    before = compare()
    assert before == [2_340, 202, 2_340, 202]
    finish()
    assert compare() == before
    # After the close: each of them counts in the next month.
    cancel(booked[1], AFTER - timedelta(minutes=2))
    credit(booked[1], 44, NEXT)
    with scope(Scope.of(courier)):
        one = Surcharge.objects.order_by("pk").first()
        withdraw_surcharge(actor=courier, surcharge_id=one.pk, reason="Not ours", now=AFTER)
    with pytest.raises(Conflict):
        surcharge(courier, amount_fen=5, now=AFTER)
    surcharge(courier, amount_fen=500, month=NEXT, number=first.number, now=AFTER)
    count_freight(now=AFTER)
    assert compare() == [2_340, 202 - 1_000 - 44 - 1 + 500] * 2


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_settles_and_one_withdraws(courier: Actor, booked: list[Parcel]) -> None:
    count_freight(now=NOON + 2 * HOUR)
    pk = surcharge(courier).pk

    def withdraw(_n: int) -> object:
        with scope(Scope.of(courier)):
            return withdraw_surcharge(actor=courier, surcharge_id=pk, reason="x", now=NOON + 2 * HOUR).pk

    assert len({*in_threads(withdraw, 4)}) == 1
    finish()
    with scope(Scope.everything()):
        statement = FreightStatement.objects.get()
        assert (statement.surcharges_fen, Surcharge.objects.count()) == (0, 2)
    payment = Payment(AFTER.astimezone(ZONE).date())

    def settle(_n: int) -> object:
        try:
            with scope(Scope.of(courier)):
                return mark_settled(actor=courier, statement_id=statement.pk, payment=payment, now=AFTER).pk
        except Conflict as error:
            return error.reason

    def undo(_n: int) -> object:
        try:
            with scope(Scope.of(courier)):
                return undo_settled(actor=courier, statement_id=statement.pk, reason="x").pk
        except Conflict as error:
            return error.reason

    assert sorted(map(str, in_threads(settle, 3))) == sorted([str(statement.pk), *["already_settled"] * 2])
    assert sorted(map(str, in_threads(undo, 3))) == sorted([str(statement.pk), *["not_settled"] * 2])
