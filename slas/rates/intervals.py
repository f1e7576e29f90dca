"""Wilson score interval: the uncertainty of a share, given the number of observations.

Wilson, Probable inference, the law of succession, and statistical inference (1927). Ranking by the lower
bound keeps three good parcels from beating three million.
"""

from math import sqrt

# Two-sided 95 %.
Z_95 = 1.959964


def wilson_lower_bound(met: int, n: int, z: float = Z_95) -> float | None:
    """The least share supported by met of n; None for no observations, exactly 0 for none met."""
    bounds = _bounds(met, n, z)
    return None if bounds is None else bounds[0]


def wilson_upper_bound(met: int, n: int, z: float = Z_95) -> float | None:
    """The greatest share supported by met of n; None for no observations, exactly 1 for all met."""
    bounds = _bounds(met, n, z)
    return None if bounds is None else bounds[1]


def _bounds(met: int, n: int, z: float) -> tuple[float, float] | None:
    if not 0 <= met <= n:
        raise ValueError(f"{met} of {n} is not a share")
    if n == 0:
        return None
    share = met / n
    centre = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The formula is exact at the ends, its rounding is not.
    low = 0.0 if met == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if met == n else min(1.0, (centre + spread) / scale)
    return low, high
