"""The addresses of the floors' views, which `benchmarks.urls` serves beside the product's own.

Every benchmark takes them from here: that an address written out is wrong shows only when it is called.
"""

from typing import Final

OPEN: Final = "/api/v1/bench/open"
AUTHENTICATED: Final = "/api/v1/bench/authenticated"
ONE_ROW: Final = "/api/v1/bench/one-row/{}"
NAIVE_SCANS: Final = "/api/v1/bench/scans"
NAIVE_PARCELS: Final = "/api/v1/bench/parcels"
