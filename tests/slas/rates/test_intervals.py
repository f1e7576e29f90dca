"""Wilson bounds against published values, and at their edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slas.rates.intervals import wilson_lower_bound, wilson_upper_bound


# Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3.
@pytest.mark.parametrize(
    ("met", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_bounds_are_the_published_ones(met, n, low, high):
    assert wilson_lower_bound(met, n) == pytest.approx(low, abs=5e-5)
    assert wilson_upper_bound(met, n) == pytest.approx(high, abs=5e-5)


def test_bounds_without_observations_are_none():
    assert wilson_lower_bound(0, 0) is None
    assert wilson_upper_bound(0, 0) is None


@pytest.mark.parametrize("n", [1, 3, 1_000, 10**9])
def test_bounds_are_exact_at_the_ends(n):
    assert wilson_lower_bound(0, n) == 0.0
    assert wilson_upper_bound(n, n) == 1.0
    assert 0 < wilson_lower_bound(n, n) < 1
    assert 0 < wilson_upper_bound(0, n) < 1


@pytest.mark.parametrize(("met", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_impossible_counts_are_refused(met, n):
    with pytest.raises(ValueError, match="not a share"):
        wilson_lower_bound(met, n)


def test_three_good_parcels_do_not_beat_three_million():
    assert wilson_lower_bound(3, 3) < wilson_lower_bound(2_900_000, 3_000_000)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bounds_surround_the_share_and_close_in_with_more_of_the_same(counts):
    met, n = counts
    low, high = wilson_lower_bound(met, n), wilson_upper_bound(met, n)
    assert 0 <= low <= met / n <= high <= 1
    assert wilson_lower_bound(10 * met, 10 * n) >= low
    assert wilson_upper_bound(10 * met, 10 * n) <= high
