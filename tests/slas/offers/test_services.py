"""Services that write a courier's offers."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import City
from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.models import Application, ServiceCity
from slas.models import CapacityDay, Offer, ServiceTier
from slas.offers.services.offer_files import read_offer_file, save_offer_rows
from slas.offers.services.offers import OfferTerms, change_offer, create_offer

pytestmark = pytest.mark.django_db

HEADER = "tier,origin,destination,price,daily_capacity,on_sale\n"


@pytest.fixture
def terms(hangzhou: City, chengdu: City) -> OfferTerms:
    return OfferTerms(ServiceTier.objects.get(code="next_day"), hangzhou, chengdu, 1250, 100)


def _create(actor: Actor, terms: OfferTerms) -> Offer:
    with scope(Scope.of(actor)):
        return create_offer(actor=actor, terms=terms)


def _save(actor: Actor, text: str) -> list[str]:
    with scope(Scope.of(actor)):
        return [row.outcome for row in save_offer_rows(actor=actor, rows=read_offer_file(text.encode()))]


def test_a_lane_is_sold_once_a_tier(courier: Actor, terms: OfferTerms) -> None:
    _create(courier, terms)
    with pytest.raises(Conflict) as error:
        _create(courier, terms)
    assert error.value.reason == "offer_exists"


def test_two_couriers_sell_the_same_lane(courier: Actor, rival_courier: Any, terms: OfferTerms) -> None:
    from_rival = Actor(
        kind="user",
        organisation_id=rival_courier.pk,
        organisation_kind="courier",
        capabilities=courier.capabilities,
    )
    assert _create(courier, terms).pk != _create(from_rival, terms).pk


def test_merchants_cannot_create_offers(merchant: Actor, terms: OfferTerms) -> None:
    with pytest.raises(NotPermitted):
        _create(merchant, terms)


@pytest.mark.parametrize(("price", "capacity", "field"), [(0, 10, "price"), (10, -1, "daily_capacity")])
def test_senseless_terms_are_refused(
    courier: Actor, terms: OfferTerms, price: int, capacity: int, field: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        _create(courier, OfferTerms(terms.tier, terms.origin, terms.destination, price, capacity))
    assert [error.field for error in raised.value.errors] == [field]


def test_new_capacity_holds_for_days_already_begun(courier: Actor, terms: OfferTerms) -> None:
    offer = _create(courier, terms)
    with scope(Scope.everything()):
        [(today,)] = raw_rows("SELECT current_date")
        CapacityDay.objects.create(
            offer=offer, courier_id=offer.courier_id, date=today, limit=100, reserved=40
        )
    with scope(Scope.of(courier)):
        change_offer(actor=courier, offer_id=offer.pk, price_fen=1250, daily_capacity=30, active=True)
        day = CapacityDay.objects.get(offer=offer)
    # Bookings stay; no more are accepted.
    assert (day.limit, day.reserved) == (30, 40)


def test_offers_of_others_are_not_there(courier: Actor, rival_courier: Any, terms: OfferTerms) -> None:
    offer = _create(courier, terms)
    outsider = Actor(
        kind="user",
        organisation_id=rival_courier.pk,
        organisation_kind="courier",
        capabilities=courier.capabilities,
    )
    with pytest.raises(NotFound), scope(Scope.of(outsider)):
        change_offer(actor=outsider, offer_id=offer.pk, price_fen=1, daily_capacity=1, active=True)


def test_file_creates_changes_and_keeps_offers(courier: Actor) -> None:
    first = "next_day,杭州,CN-CTU,12.50,100,yes\nstandard,Hangzhou,成都,8,500,\n"
    assert _save(courier, HEADER + first) == ["created", "created"]
    second = "next_day,CN-HGH,成都市,12.50,100,是\nstandard,Hangzhou,Chengdu,7.90,500,no\n"
    assert _save(courier, HEADER + second) == ["unchanged", "changed"]
    with scope(Scope.of(courier)):
        assert sorted(Offer.objects.values_list("price_fen", "active")) == [(790, False), (1250, True)]


def test_bad_row_does_not_affect_the_others(courier: Actor) -> None:
    rows = "next_day,杭州,Atlantis,12.50,100,\nnext_day,杭州,成都,12.50,100,\nrocket,杭州,成都,-1,1.5,maybe\n"
    with scope(Scope.of(courier)):
        results = save_offer_rows(actor=courier, rows=read_offer_file((HEADER + rows).encode()))
    assert [(result.line, result.outcome) for result in results] == [
        (2, "rejected"),
        (3, "created"),
        (4, "rejected"),
    ]
    assert [error.field for error in results[0].errors] == ["destination"]
    assert [error.field for error in results[2].errors] == ["tier", "price", "daily_capacity", "on_sale"]


def test_duplicate_lane_in_a_file_is_rejected(courier: Actor) -> None:
    rows = "next_day,杭州,成都,12,100,\nnext_day,CN-HGH,Chengdu,13,100,\n"
    assert _save(courier, HEADER + rows) == ["created", "rejected"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"tier,origin\nx,y\n", "missing: destination"),
        (HEADER.encode(), "no rows"),
        (b"\xff\xff\xff\xff", "CSV UTF-8"),
        ((HEADER + "a,b,c,1,1,\n" * 20_001).encode(), "20,001 rows"),
    ],
)
def test_invalid_offer_file_is_refused_completely(content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_offer_file(content)
    assert words in str(error.value.errors[0].message)


def test_a_nul_in_a_city_is_an_error_of_its_row(courier: Actor) -> None:
    rows = "next_day,a\0b,成都,1,1,\nnext_day,杭州,成都,1,1,\n"
    assert _save(courier, HEADER + rows) == ["rejected", "created"]


def test_spreadsheets_in_gb18030_are_read() -> None:
    rows = read_offer_file((HEADER + "next_day,杭州,成都,1,1,\n").encode("gb18030"))
    assert rows[0].cells["origin"] == "杭州"


def test_cells_are_read_as_people_write_them(courier: Actor) -> None:
    rows = 'Next day,="CN-HGH",成都,１２．５０,"25,000",ＮＯ\n次日达,Chengdu,\u200bHangzhou,8,100,是\n'
    assert _save(courier, HEADER + rows) == ["created", "created"]
    with scope(Scope.of(courier)):
        assert sorted(Offer.objects.values_list("price_fen", "daily_capacity", "active")) == [
            (800, 100, True),
            (1250, 25_000, False),
        ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        # A decimal comma: a price of 12 and 50 parcels a day otherwise.
        ("next_day,杭州,成都,12,50,100,yes", "too_many_cells"),
        ("next_day,杭州,成都,12,50", "too_few_cells"),
        ('next_day,杭州,成都,"12,50",100,', "invalid"),
        ('next_day,"杭州,成都,12,50,', "open_quote"),
        ("next_day,Henan,成都,12,50,", "ambiguous_city"),
    ],
)
def test_bad_row_is_told_and_nothing_of_it_is_sold(courier: Actor, row: str, problem: str) -> None:
    content = f"{HEADER}\n,,,,,\n{row}\nnext_day,杭州,成都,9,9,\n".encode()
    with scope(Scope.of(courier)):
        results = save_offer_rows(actor=courier, rows=read_offer_file(content))
        assert [result.line for result in results] == [4, 5]
        assert [error.code for error in results[0].errors] == [problem]
        assert list(Offer.objects.values_list("price_fen", flat=True)) == [900]


def test_misspelt_column_is_read_or_refused() -> None:
    header = HEADER.replace("on_sale", "on-sale")
    assert read_offer_file(f"{header}next_day,杭州,成都,1,1,no\n".encode())[0].cells["on_sale"] == "no"
    with pytest.raises(InvalidInput) as refused:
        read_offer_file(f"{HEADER.replace('on_sale', 'onsaale')}next_day,杭州,成都,1,1,no\n".encode())
    assert "Did you mean on_sale?" in refused.value.errors[0].message


# --- only in approved cities ---


@pytest.fixture
def approved(courier: Actor, hangzhou: City, chengdu: City, system: Actor) -> Actor:
    """The courier was approved for Hangzhou and Chengdu."""
    with scope(Scope.everything()):
        application = Application.objects.create(organisation_id=courier.tenant_id)
        for city in (hangzhou, chengdu):
            ServiceCity.objects.create(organisation_id=courier.tenant_id, application=application, city=city)
        values = {"legal_name": "A", "credit_code": "B", "permit_number": "C", "contact_name": "D"}
        filled = {
            **values,
            "contact_phone": "E",
            "contact_email": "f@x.example",
            "founded_on": date(2012, 5, 8),
        }
        fields = {**filled, "fleet_size": 1, "daily_capacity": 1, "submitted_at": timezone.now()}
        applications = Application.objects.filter(pk=application.pk)
        applications.update(state="submitted", **fields)
        applications.update(state="approved", decided_at=timezone.now())
    return courier


def test_offers_are_refused_outside_the_approved_cities(approved: Actor, terms: OfferTerms) -> None:
    abroad = City.objects.get(code="JP-TYO")
    with scope(Scope.of(approved)):
        for field in ("origin", "destination"):
            with pytest.raises(InvalidInput) as refusal:
                create_offer(actor=approved, terms=replace(terms, **{field: abroad}))
            assert [(error.pointer, error.code) for error in refusal.value.errors] == [
                (f"/{field}", "not_served")
            ]
        assert create_offer(actor=approved, terms=terms).pk


def test_rows_outside_the_approved_cities_are_rejected(approved: Actor) -> None:
    rows = "next_day,CN-HGH,CN-CTU,18.00,30,yes\nnext_day,CN-HGH,JP-TYO,18.00,30,yes\n"
    with scope(Scope.of(approved)):
        results = save_offer_rows(actor=approved, rows=read_offer_file((HEADER + rows).encode()))
    assert [result.outcome for result in results] == ["created", "rejected"]
    assert results[1].errors[0].code == "not_served"


def test_offer_in_a_city_no_longer_approved_can_be_taken_off_sale(approved: Actor, terms: OfferTerms) -> None:
    with scope(Scope.of(approved)):
        offer = create_offer(actor=approved, terms=terms)
    with scope(Scope.everything()):
        Offer.objects.filter(pk=offer.pk).update(destination=City.objects.get(code="JP-TYO"))
    change: dict[str, Any] = {"offer_id": offer.pk, "price_fen": 1, "daily_capacity": 1}
    with scope(Scope.of(approved)):
        with pytest.raises(InvalidInput):
            change_offer(actor=approved, **change, active=True)
        assert change_offer(actor=approved, **change, active=False).active is False
