"""Cells of booking files as people and spreadsheets write them."""

from datetime import datetime, time

import pytest
from django.utils import timezone

from alliance.tenancy import Actor
from tests.parcels.helpers.booking_files import HEADER, finished, outcomes, results, row, text_of, to_correct
from tests.parcels.helpers.bookings import parcels_of

pytestmark = pytest.mark.usefixtures("filing")


def stored(merchant: Actor, **cells: str) -> tuple[str, str, str, str, int]:
    """Book one row; return reference, name, phone, address and weight of its parcel."""
    file = finished(merchant, text_of(row(**cells)))
    assert file.booked == 1, results(file)
    [parcel] = parcels_of(merchant)
    return (
        parcel.reference,
        parcel.recipient_name,
        parcel.recipient_phone,
        parcel.recipient_address,
        parcel.weight_g,
    )


def test_cells_that_keep_a_spreadsheet_from_reading_numbers_are_unwrapped(merchant: Actor) -> None:
    cells = {
        "reference": '="000121"',
        "recipient_name": '="Ouyang ""Qi"""',
        "recipient_phone": "'13800012101",
        "recipient_address": "'人民南路1号",
        "weight_g": '="800"',
        "tier": '="next_day"',
        "origin": '="CN-HGH"',
    }
    assert stored(merchant, **cells) == ("000121", 'Ouyang "Qi"', "13800012101", "人民南路1号", 800)


def test_apostrophe_of_a_name_stays(merchant: Actor) -> None:
    assert stored(merchant, recipient_name="'t Hooft")[1] == "'t Hooft"


def test_full_width_cells_are_read(merchant: Actor) -> None:
    cells = {
        "reference": "ＦＷ－１",
        "tier": "ｎｅｘｔ＿ｄａｙ",
        "weight_g": "８００",
        "origin": "ＣＮ－ＨＧＨ",
    }
    assert stored(merchant, recipient_phone="１３８０００２２１０１", **cells)[::2] == (
        "FW-1",
        "13800022101",
        800,
    )


@pytest.mark.parametrize("tier", ["Next day", "next-day", "NEXT_DAY", "nextday", "次日达", "次日"])
def test_tier_is_read_as_pages_show_it(merchant: Actor, tier: str) -> None:
    stored(merchant, tier=tier)


def test_invisible_characters_make_no_other_reference(merchant: Actor) -> None:
    spellings = ["IV-1", "IV-1\u200b", "\ufeffIV-1", "I\u00adV-1", "\u202eIV-1", "IV\u2060-1", "ＩＶ－１"]
    rows = [each for reference in spellings for each in (row(reference=reference), row())]
    file = finished(merchant, text_of(*rows))
    assert (file.booked, file.duplicate) == (1 + len(spellings), len(spellings) - 1)


def test_cell_of_invisible_characters_is_empty(merchant: Actor) -> None:
    file = finished(merchant, text_of(row(recipient_name="\u200b\u2060", recipient_address="\u3164\u00a0")))
    assert outcomes(file) == [("2", "rejected", "recipient_name recipient_address", "required")]


def test_direction_marks_are_left_out_of_names(merchant: Actor) -> None:
    assert stored(merchant, recipient_name="\u202eLi\u202c Wei")[1] == "Li Wei"


@pytest.mark.parametrize(
    ("city", "told"),
    [
        ("Henan", "Zhengzhou"),
        ("河南省", "Zhengzhou"),
        ("海南", "Haikou"),
        ("Guangdong Province", "Guangzhou"),
        ("内蒙古自治区", "Hohhot"),
    ],
)
def test_province_is_no_city(merchant: Actor, city: str, told: str) -> None:
    [result] = results(finished(merchant, text_of(row(destination=city))))
    assert (result["column"], result["problem"]) == ("destination", "ambiguous_city")
    assert "is a province" in result["detail"]
    assert told in result["detail"]


def test_city_of_any_length_is_told_once_and_cut(merchant: Actor) -> None:
    [result] = results(finished(merchant, text_of(row(destination="长" * 3_000))))
    assert result["problem"] == "unknown_city"
    assert len(result["detail"]) < 200


# --- one reference for two people ------------------------------------------------------------


def test_reference_of_somebody_else_is_a_problem(merchant: Actor) -> None:
    other = {"recipient_name": "沈瑜", "recipient_phone": "13900060002", "recipient_address": "春熙路2号"}
    file = finished(merchant, text_of(row(reference="A"), row(reference="A", **other), row(reference="A")))
    assert outcomes(file) == [
        ("2", "booked", "", ""),
        ("3", "rejected", "reference", "reference_of_another"),
        ("4", "duplicate", "reference", "booked_before"),
    ]
    assert "Line 2" in results(file)[1]["detail"]
    assert "13900060002" in to_correct(file)
    # In a later file the parcel is named instead of the line.
    [result] = results(finished(merchant, text_of(row(reference="A", **other))))
    assert result["problem"] == "reference_of_another"
    assert parcels_of(merchant)[0].number in result["detail"]


@pytest.mark.parametrize(
    "corrected",
    [{"recipient_phone": "13900060002"}, {"recipient_name": "王晓明"}, {"recipient_address": "B"}],
)
def test_corrected_row_of_one_person_is_a_duplicate(merchant: Actor, corrected: dict[str, str]) -> None:
    file = finished(merchant, text_of(row(reference="A"), row(), row(reference="A", **corrected)))
    assert (file.booked, file.duplicate) == (2, 1)


@pytest.mark.parametrize("reference", ["2026113000045670000", "2026113000045000", "1.23457E+18"])
def test_shortened_reference_is_told(merchant: Actor, reference: str) -> None:
    file = finished(merchant, text_of(row(reference=reference), row(reference=f'="{reference}"')))
    assert [problem for *_others, problem in outcomes(file)] == ["shortened", outcomes(file)[1][3]]
    assert outcomes(file)[0][2] == "reference"


@pytest.mark.parametrize(
    "reference", ["2026113000045678", "20261130000", '="2026113000045670000"', "SO-1000000000000000"]
)
def test_whole_reference_is_booked(merchant: Actor, reference: str) -> None:
    assert stored(merchant, reference=reference)[0] == reference.strip('="')


# --- ready times -----------------------------------------------------------------------------


def test_midnight_of_today_means_now(merchant: Actor) -> None:
    midnight = datetime.combine(timezone.localdate(), time.min, timezone.get_default_timezone())
    rows = [row(ready_at=midnight.isoformat()), row(ready_at=(midnight.replace(year=2020)).isoformat())]
    file = finished(merchant, text_of(*rows, row(), header=(*HEADER, "ready_at")))
    assert [problem for *_others, problem in outcomes(file)] == ["", "past", ""]
    today, now = parcels_of(merchant)
    assert (today.pickup_by, today.deliver_by) == (now.pickup_by, now.deliver_by)
