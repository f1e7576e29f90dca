"""The public place of a scan: facilities as they were typed, of anything else the city alone."""

import pytest
from django.utils import translation

from alliance.models import City
from parcels.scans.places import city_names, place_of, public_place

CITIES = city_names(
    [
        ("Hangzhou", "杭州"), ("Xi'an", "西安"), ("New York", "纽约"), ("Ali", "阿里"),
        ("Victoria", "维多利亚"), ("Florence", "佛罗伦萨"), ("Haining", "海宁"),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    "typed",
    [
        "HGH-01", "CTU-3A", "12", "Hangzhou", "Hangzhou hub 杭州分拨中心", "杭州市东区营业部",
        "Xi'an Sorting Center (North) 3", "New York JFK-8", "Hub B", "西安一号仓",
        "杭州国际机场航空快件集散中心",
    ],
)  # fmt: skip
def test_facilities_are_shown_as_typed(typed: str) -> None:
    assert place_of(typed, CITIES).text == typed


@pytest.mark.parametrize(
    ("typed", "city"),
    [
        ("Courier Zhou 13900015101", ""),
        ("Hangzhou hub, ask for Li Wei", "Hangzhou"),
        ("杭州分拨中心 张三", "Hangzhou"),
        ("杭州张三13900015101", "Hangzhou"),
        ("Hangzhou 139 0001 5101", "Hangzhou"),
        ("Hangzhou １３９０００１５１０１", "Hangzhou"),
        ("Hangzhou 139-000-151-01", "Hangzhou"),
        ("Hub zhou@example.org", ""),
        ("ZHOU", ""),
        ("Victoria Florence", "Victoria"),
        ("Courier Ali", "Ali"),
        ("王海宁", "Haining"),
        ("Xi\u200bXi 杭\u200b州", ""),
        ("<script>", ""),
    ],
)
def test_only_the_city_of_other_places_is_shown(typed: str, city: str) -> None:
    place = place_of(typed, CITIES)
    assert (place.text, place.city.english if place.city else "") == ("", city)


@pytest.mark.django_db
def test_city_is_in_the_language_of_the_reader(hangzhou: City) -> None:
    assert public_place("") == ""
    assert public_place("Hangzhou, with Li Wei") == "Hangzhou"
    with translation.override("zh-hans"):
        assert public_place("Hangzhou, with Li Wei") == "杭州"
