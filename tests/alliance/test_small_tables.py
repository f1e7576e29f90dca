"""Rows of small tables are read once, and again after some seconds."""

from collections.abc import Callable
from typing import Any

import pytest

from alliance import small_tables
from alliance.models import City
from alliance.small_tables import CITIES

pytestmark = pytest.mark.django_db


def test_rows_are_read_once(
    hangzhou: City, chengdu: City, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        assert CITIES.rows([hangzhou.pk, 0]) == {hangzhou.pk: hangzhou}
        assert CITIES.rows(iter([hangzhou.pk])) == {hangzhou.pk: hangzhou}
    with django_assert_num_queries(1):
        assert CITIES.rows([chengdu.pk, hangzhou.pk]) == {chengdu.pk: chengdu, hangzhou.pk: hangzhou}


def test_a_change_is_seen_after_some_seconds(hangzhou: City, monkeypatch: pytest.MonkeyPatch) -> None:
    CITIES.rows([hangzhou.pk])
    City.objects.filter(pk=hangzhou.pk).update(name_en="Lin'an")
    assert CITIES.rows([hangzhou.pk])[hangzhou.pk].name_en == hangzhou.name_en
    monkeypatch.setattr(small_tables, "_SECONDS", 0)
    assert CITIES.rows([hangzhou.pk])[hangzhou.pk].name_en == "Lin'an"


def test_a_process_keeps_a_limited_number(
    hangzhou: City, chengdu: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_tables, "_REMEMBERED", 1)
    CITIES.rows([hangzhou.pk])
    CITIES.rows([chengdu.pk])
    assert list(CITIES._recent) == [chengdu.pk]
