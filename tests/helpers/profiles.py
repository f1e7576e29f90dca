"""How many examples the tests of properties try: some in `make test`, many in `make test-long`."""

from hypothesis import settings

# The smallest number a test was written with, but for those of the API's schema.
FEWEST = 25
USUAL = 100


def register_profiles() -> None:
    # A machine with other work misses deadlines of 200 ms.
    # The short run tries the same examples each time, so that only a change makes it fail; the long one looks
    # for new ones.
    settings.register_profile(
        "short", settings.default, max_examples=USUAL // 2, deadline=None, derandomize=True, database=None
    )
    settings.register_profile("long", settings.default, max_examples=USUAL * 10, deadline=None)
    settings.load_profile("short")


def scaled(number: int) -> int:
    """Return so many, as much fewer or more as the profile says."""
    return max(number * settings.default.max_examples // USUAL, min(number, FEWEST))
