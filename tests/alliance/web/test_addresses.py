"""Addresses are those of reverse(), and looked up once."""

from typing import Any

import pytest
from django.urls import NoReverseMatch, reverse, set_script_prefix

from alliance.web import addresses
from alliance.web.addresses import address, plain_address


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("home", ()),
        ("member_edit", (4711,)),
        ("parcels:parcel_detail", ("CA123456789012AB",)),
        ("parcels:parcel_detail", ("R&D Tea/茶",)),
        ("parcels:breach_detail", ("CA1", "delivery")),
    ],
)
def test_an_address_is_that_of_reverse(name: str, values: tuple[Any, ...]) -> None:
    try:
        expected = reverse(name, args=values)
    except NoReverseMatch:
        with pytest.raises(NoReverseMatch):
            address(name, *values)
    else:
        assert [address(name, *values) for _again in range(2)] == [expected] * 2


def test_an_address_follows_the_path_that_the_product_is_served_under() -> None:
    plain = address("member_edit", 1)
    set_script_prefix("/alliance/")
    try:
        assert address("member_edit", 1) == f"/alliance{plain}"
    finally:
        set_script_prefix("/")


def test_a_second_address_of_a_page_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    address("member_edit", 1)
    monkeypatch.setattr(addresses, "reverse", None)
    assert "/2/" in address("member_edit", 2)


def test_what_needs_escaping_or_has_no_page_is_left_to_django() -> None:
    assert plain_address("parcels:parcel_detail", "R&D") is None
    assert plain_address("no_such_page", 1) is None
