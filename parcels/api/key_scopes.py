"""Which scope of an API key each route needs: see alliance.key_scopes."""

from typing import Final

from alliance.key_scopes import OPEN, RouteScope

ROUTES: Final[dict[str, RouteScope]] = {
    "cities": OPEN,
    "tracking": OPEN,
    "parcels": RouteScope("parcels"),
    # What only who books asks for.
    "quotes": RouteScope("parcels", always="write"),
    "pickup-addresses": RouteScope("parcels", always="write"),
    "booking-files": RouteScope("parcels", always="write"),
    "watch": RouteScope("parcels"),
    # Printing is noted, and the parcels of a file of labels are listed in a body; it changes no parcel.
    "parcel_label": RouteScope("labels", always="read"),
    "parcel_labels": RouteScope("labels", always="read"),
    "scans": RouteScope("scans"),
    "pickups": RouteScope("pickups"),
    "manifests": RouteScope("manifests"),
    "parcel_return": RouteScope("returns"),
    "return-policy": RouteScope("returns"),
    "return-requests": RouteScope("returns"),
    "recipients": RouteScope("recipients"),
    "freight-statements": RouteScope("statements"),
    "surcharges": RouteScope("statements"),
    "webhooks": RouteScope("webhooks", always="write"),
    "webhook-topics": RouteScope("webhooks", always="write"),
}
