"""Fees by weight, and amounts of money in and out of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slas.promises.prices import (
    DEFAULT_WEIGHT_BANDS,
    MAX_FEN,
    InvalidAmount,
    TooHeavy,
    WeightBand,
    check_bands,
    fee_fen,
    fen_from_yuan,
    yuan,
)

BANDS = [WeightBand(1_000, 0), WeightBand(3_000, 250), WeightBand(10_000, 1_000)]


@pytest.mark.parametrize(
    ("weight_g", "fee"),
    [(1, 800), (1_000, 800), (1_001, 1_050), (3_000, 1_050), (3_001, 1_800), (10_000, 1_800)],
)
def test_fee_is_base_plus_the_first_band_that_holds_the_weight(weight_g, fee):
    assert fee_fen(800, BANDS, weight_g) == fee


def test_fee_over_the_last_band_is_refused_with_the_limit():
    with pytest.raises(TooHeavy) as error:
        fee_fen(800, BANDS, 10_001)
    assert (error.value.weight_g, error.value.limit_g) == (10_001, 10_000)


def test_fee_without_bands_is_flat():
    assert fee_fen(800, [], 500_000) == 800


@pytest.mark.parametrize("weight_g", [0, -1])
def test_fee_of_zero_weight_is_refused(weight_g):
    with pytest.raises(ValueError, match="weighs"):
        fee_fen(800, BANDS, weight_g)


@given(st.integers(1, 30_000), st.integers(1, 30_000))
def test_heavier_never_costs_less_by_default(one, other):
    lighter, heavier = sorted((one, other))
    assert fee_fen(0, DEFAULT_WEIGHT_BANDS, lighter) <= fee_fen(0, DEFAULT_WEIGHT_BANDS, heavier)


@pytest.mark.parametrize(
    "bands",
    [
        [WeightBand(0, 0)],
        [WeightBand(1_000, -1)],
        [WeightBand(1_000, 0), WeightBand(1_000, 100)],
        [WeightBand(3_000, 0), WeightBand(1_000, 100)],
        [WeightBand(1_000, 100), WeightBand(3_000, 50)],
    ],
)
def test_bands_out_of_order_are_refused(bands):
    with pytest.raises(ValueError, match="band"):
        check_bands(bands)


def test_default_bands_are_in_order():
    check_bands(DEFAULT_WEIGHT_BANDS)
    check_bands([])


@pytest.mark.parametrize(
    ("fen", "text"),
    [(0, "0.00"), (5, "0.05"), (50, "0.50"), (1_250, "12.50"), (-5, "-0.05"), (-1_250, "-12.50")],
)
def test_yuan_has_two_places(fen, text):
    assert yuan(fen) == text


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("12.5", 1_250),
        ("12.50", 1_250),
        ("12", 1_200),
        ("0.05", 5),
        ("0", 0),
        ("007", 700),
        (" 12.5\n", 1_250),
    ],
)
def test_fen_from_yuan(text, fen):
    assert fen_from_yuan(text) == fen


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "blank"),
        ("  ", "blank"),
        ("12.505", "too_precise"),
        ("-1", "negative"),
        ("10000000.01", "too_large"),
        ("99999999999999999999", "too_large"),
        ("9" * 5_000, "too_large"),
        ("1,000", "invalid"),
        ("12,5", "invalid"),
        ("12.", "invalid"),
        (".5", "invalid"),
        ("1e3", "invalid"),
        ("+5", "invalid"),
        ("¥12", "invalid"),
        ("１２", "invalid"),  # noqa: RUF001 -- full-width digits, as Chinese keyboards type them
        ("twelve", "invalid"),
        ("NaN", "invalid"),
        ("1_000", "invalid"),
    ],
)
def test_fen_from_yuan_refuses_with_a_reason(text, code):
    with pytest.raises(InvalidAmount) as error:
        fen_from_yuan(text)
    assert error.value.code == code
    assert error.value.message


@given(st.integers(0, MAX_FEN))
def test_amounts_survive_being_written_and_read(fen):
    assert fen_from_yuan(yuan(fen)) == fen
