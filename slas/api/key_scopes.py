"""Which scope of an API key each route needs: see alliance.key_scopes."""

from typing import Final

from alliance.key_scopes import OPEN, RouteScope

ROUTES: Final[dict[str, RouteScope]] = {
    "tiers": OPEN,
    "promises": OPEN,
    "closures": OPEN,
    "scorecard-rules": OPEN,
    "offers": RouteScope("offers"),
    "allocation-rules": RouteScope("rules"),
    "rates": RouteScope("rates"),
    "breaches": RouteScope("rates"),
    "scorecards": RouteScope("rates"),
    "excuses": RouteScope("excuses"),
    "exports": RouteScope("exports"),
    "statements": RouteScope("statements"),
}
