"""Rules and months to score with: the published first rules, and months that come to round values."""

from importlib import import_module

from slas.choices import ScoreComponent
from slas.scorecards.rules import Measured, Month, Rules

SEED = import_module("slas.migrations.0004_seeds")
RULES = Rules.from_stored(SEED.WEIGHTS, SEED.BANDS, SEED.GRADES, SEED.MINIMUM_VOLUME)
# What a gold courier's month may look like: each component in its best band.
BEST = {
    "delivery_on_time": 0.985,
    "pickup_on_time": 0.995,
    "first_attempt": 0.97,
    "within_72h": 0.99,
    "lateness": 0.002,
}


def month(volume: int = 400, **values: float | None) -> Month:
    """A month of the best values but those given; None is a component nothing was counted for."""
    return Month(
        {
            ScoreComponent(name): Measured(value, 0 if value is None else volume)
            for name, value in (BEST | values).items()
        },
        volume,
    )


def stored(**changes: object) -> dict[str, object]:
    """The first rules as they are stored, with some parts changed."""
    return {
        "weights": dict(SEED.WEIGHTS),
        "bands": {name: [list(row) for row in rows] for name, rows in SEED.BANDS.items()},
        "grades": dict(SEED.GRADES),
        "minimum_volume": SEED.MINIMUM_VOLUME,
        **changes,
    }
