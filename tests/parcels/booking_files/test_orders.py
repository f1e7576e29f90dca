"""Several parcels of one order in a file: rows of one reference, or a row with a number of parcels."""

from typing import Any

import pytest

from alliance.tenancy import Actor, Scope, scope
from parcels.booking_files.services import files as booking_files
from parcels.booking_files.services.files import book_file
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.models import Parcel
from slas.models import Offer
from tests.parcels.helpers.booking_files import (
    HEADER,
    finished,
    outcomes,
    results,
    row,
    started,
    text_of,
    to_correct,
)
from tests.parcels.helpers.bookings import parcels_of
from tests.slas.helpers.offers import today_at

pytestmark = pytest.mark.usefixtures("filing")

COUNTED = (*HEADER, "pieces")


def places(merchant: Actor, reference: str = "A") -> list[tuple[int, int, int | None]]:
    parcels = [parcel for parcel in parcels_of(merchant) if parcel.reference == reference]
    return sorted((parcel.piece, parcel.pieces, parcel.weight_g) for parcel in parcels)


def orders(merchant: Actor) -> set[int | None]:
    return {parcel.order_id for parcel in parcels_of(merchant)}


def test_rows_of_one_reference_are_parcels_of_one_order(merchant: Actor) -> None:
    rows = [row(reference="A", weight_g=weight) for weight in ("800", "900", "1000")]
    file = finished(merchant, text_of(row(reference="B"), *rows, row()))
    assert (file.booked, file.rejected, file.duplicate) == (5, 0, 0)
    assert places(merchant) == [(1, 3, 800), (2, 3, 900), (3, 3, 1000)]
    told = [(each["piece"], each["piece_count"]) for each in results(file)]
    assert told == [("1", "1"), ("1", "3"), ("2", "3"), ("3", "3"), ("1", "1")]


def test_file_that_is_uploaded_again_names_each_parcel(merchant: Actor) -> None:
    text = text_of(*(row(reference="A", weight_g=weight) for weight in ("800", "900")))
    numbers = [each["tracking_number"] for each in results(finished(merchant, text))]
    again = finished(merchant, text, again=True)
    assert (again.booked, again.duplicate) == (0, 2)
    assert [each["tracking_number"] for each in results(again)] == numbers


def test_order_with_more_parcels_than_were_booked_is_not_told_to_be_booked(merchant: Actor) -> None:
    rows = [row(reference="A", weight_g=weight) for weight in ("800", "900", "1000")]
    finished(merchant, text_of(*rows[:2]))
    file = finished(merchant, text_of(*rows))
    assert {problem for _line, _result, _column, problem in outcomes(file)} == {"order_booked"}
    assert all(parcel.number in results(file)[0]["detail"] for parcel in parcels_of(merchant))
    assert len(parcels_of(merchant)) == 2


def test_cancelled_parcel_of_an_order_is_not_booked_again_by_its_file(merchant: Actor) -> None:
    text = text_of(*(row(reference="A", weight_g=weight) for weight in ("800", "900")))
    first = results(finished(merchant, text))[0]["tracking_number"]
    with scope(Scope.of(merchant)):
        [parcel] = [each for each in parcels_of(merchant) if each.number == first]
        cancel_parcel(actor=merchant, parcel_id=parcel.pk, at=today_at(12))
    file = finished(merchant, text, again=True)
    assert [problem for *_more, problem in outcomes(file)] == ["order_booked"] * 2


def test_bad_row_refuses_its_order_and_all_of_its_rows_may_be_corrected(merchant: Actor) -> None:
    weights = ("800", "heavy", "900")
    rows = [*(row(reference="A", weight_g=weight) for weight in weights), row(reference="B")]
    file = finished(merchant, text_of(*rows))
    assert [(line, result, problem) for line, result, _column, problem in outcomes(file)] == [
        ("2", "rejected", "order_refused"),
        ("3", "rejected", "invalid"),
        ("4", "rejected", "order_refused"),
        ("5", "booked", ""),
    ]
    assert "Line 3" in results(file)[0]["detail"]
    corrected = to_correct(file).replace("heavy", "1200")
    again = finished(merchant, corrected)
    assert (again.booked, again.rejected) == (3, 0)
    assert places(merchant) == [(1, 3, 800), (2, 3, 1200), (3, 3, 900)]


@pytest.mark.parametrize(
    ("other", "column"),
    [
        ({"recipient_address": "another street 5"}, "recipient_address"),
        ({"recipient_phone": "13900060002"}, "recipient_phone"),
        ({"destination": "CN-SHA"}, "destination"),
        ({"tier": "standard"}, "tier"),
        ({"if_full": "next"}, "if_full"),
    ],
)
def test_row_of_an_order_that_says_otherwise_is_told(
    merchant: Actor, other: dict[str, str], column: str
) -> None:
    file = finished(merchant, text_of(row(reference="A"), row(reference="A", **other)))
    assert [(column, problem) for _line, _result, column, problem in outcomes(file)] == [
        ("", "order_refused"),
        (column, "order_mixed"),
    ]
    assert "Line 2" in results(file)[1]["detail"]
    assert parcels_of(merchant) == []


def test_same_reference_for_somebody_else_is_refused_as_ever(merchant: Actor) -> None:
    other = {"recipient_name": "李雷", "recipient_phone": "13900060002"}
    rows = [row(reference="A"), row(reference="A", weight_g="900"), row(reference="A", **other)]
    file = finished(merchant, text_of(*rows))
    assert [problem for *_more, problem in outcomes(file)] == ["", "", "reference_of_another"]
    assert places(merchant) == [(1, 2, 800), (2, 2, 900)]


def test_row_that_was_copied_is_no_second_parcel(merchant: Actor) -> None:
    rows = [row(reference="A"), row(reference="A", weight_g="900"), row(reference="A"), row(reference="B")]
    file = finished(merchant, text_of(*rows))
    assert [(line, result, problem) for line, result, _column, problem in outcomes(file)] == [
        ("2", "rejected", "order_refused"),
        ("3", "rejected", "order_refused"),
        ("4", "rejected", "row_repeated"),
        ("5", "booked", ""),
    ]
    told = results(file)
    assert (told[0]["detail"][:6], told[2]["detail"]) == ("Line 4", "This row says the same as line 2.")
    assert "enter 1 in its column “pieces”" in told[2]["what_to_do"]
    # Its rejected rows, uploaded as they are, say the same again: our remarks beside them differ.
    again = finished(merchant, to_correct(file))
    assert [problem for *_more, problem in outcomes(again)] == [*["order_refused"] * 2, "row_repeated"]
    assert places(merchant) == []


@pytest.mark.parametrize("counts", [("", "1"), ("1", "1"), ("1", "1", "1"), ("2",)])
def test_equal_parcels_of_an_order_are_booked_when_it_says_so(
    merchant: Actor, counts: tuple[str, ...]
) -> None:
    rows = [row(reference="A", pieces=count) for count in counts]
    file = finished(merchant, text_of(*rows, header=COUNTED))
    assert file.rejected == 0
    assert len(places(merchant)) == max(2, len(counts))


def test_copied_row_of_an_order_that_was_booked_is_a_duplicate(merchant: Actor) -> None:
    finished(merchant, text_of(row(reference="A", pieces="2"), header=COUNTED))
    file = finished(merchant, text_of(*[row(reference="A")] * 2))
    assert (file.duplicate, file.rejected) == (2, 0)
    file = finished(merchant, text_of(*[row(reference="A")] * 3))
    assert [problem for *_more, problem in outcomes(file)] == [*["order_refused"], *["row_repeated"] * 2]


def test_row_may_stand_for_several_parcels(merchant: Actor) -> None:
    rows = [row(reference="A", pieces="3"), row(pieces="2"), row(pieces="1")]
    file = finished(merchant, text_of(*rows, header=COUNTED))
    # Rows are counted.
    assert (file.booked, file.done) == (3, 3)
    assert len(parcels_of(merchant)) == 6
    assert [(each["line"], each["piece"], each["piece_count"]) for each in results(file)] == [
        *[("2", str(n), "3") for n in (1, 2, 3)],
        *[("3", str(n), "2") for n in (1, 2)],
        ("4", "1", "1"),
    ]
    # Two orders, and a parcel alone.
    assert len(orders(merchant)) == 3
    assert None in orders(merchant)


def test_rows_and_numbers_of_parcels_add_up(merchant: Actor) -> None:
    rows = [row(reference="A", pieces="2"), row(reference="A", weight_g="5000", pieces="")]
    finished(merchant, text_of(*rows, header=COUNTED))
    assert places(merchant) == [(1, 3, 800), (2, 3, 800), (3, 3, 5000)]


@pytest.mark.parametrize("count", ["0", "100", "-1", "two", "1.5"])
def test_number_of_parcels_that_is_none_is_told(merchant: Actor, count: str) -> None:
    file = finished(merchant, text_of(row(pieces=count), header=COUNTED))
    assert outcomes(file) == [("2", "rejected", "pieces", "invalid")]
    assert "from 1 to 99" in results(file)[0]["detail"]


def test_order_of_more_than_ninety_nine_parcels_is_refused(merchant: Actor) -> None:
    rows = [row(reference="A", pieces="60"), row(reference="A", pieces="40")]
    file = finished(merchant, text_of(*rows, header=COUNTED))
    assert [problem for *_more, problem in outcomes(file)] == ["too_many_pieces"] * 2
    finished(merchant, text_of(row(reference="A", pieces="99"), header=COUNTED))
    assert len(places(merchant)) == 99


def test_order_without_room_for_all_is_told_once_a_row(merchant: Actor, lane_on_sale: Offer) -> None:
    with scope(Scope.everything()):
        Offer.objects.filter(pk=lane_on_sale.pk).update(daily_capacity=3)
    rows = [row(reference="A", pieces="3"), row(reference="A"), row(reference="B")]
    file = finished(merchant, text_of(*rows, header=COUNTED))
    assert [(line, result, problem) for line, result, _column, problem in outcomes(file)] == [
        ("2", "rejected", "capacity_full"),
        ("3", "rejected", "order_refused"),
        ("4", "booked", ""),
    ]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_slice_does_not_end_within_an_order(
    merchant: Actor, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(booking_files, "SLICE", size)
    rows = [row(reference=reference, weight_g=str(n)) for n, reference in enumerate("ABBBCCDE", 800)]
    text = text_of(*rows).replace("\nB,", "\n\nB,")
    file = finished(merchant, text)
    assert (file.booked, file.done) == (8, 8)
    assert [each["reference"] + each["piece"] + each["piece_count"] for each in results(file)] == [
        "A11", "B13", "B23", "B33", "C12", "C22", "D11", "E11",
    ]  # fmt: skip


def test_file_goes_on_after_an_order_where_it_was_interrupted(
    merchant: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(booking_files, "SLICE", 2)
    rows = [row(reference=reference, weight_g=str(n)) for n, reference in enumerate("ABBBCC", 800)]
    file = started(merchant, text_of(*rows))
    book, calls = booking_files.book_rows, []

    def once(*args: Any, **more: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return book(*args, **more)

    monkeypatch.setattr(booking_files, "book_rows", once)
    for _time in range(2):
        book_file(file_id=file.pk)
    assert [parcel.pieces for parcel in parcels_of(merchant)].count(3) == 3
    with scope(Scope.everything()):
        assert Parcel.objects.count() == 6
