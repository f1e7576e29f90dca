"""Storage and autovacuum parameters of the busiest tables of parcels."""

from typing import Final

from alliance.database.table_storage import COUNTERS, WRITTEN_ONCE

TABLE_STORAGE: Final[dict[str, dict[str, str]]] = {
    # About five updates per parcel, all of columns without an index.
    "parcels_parcel": {
        "fillfactor": "85",
        "autovacuum_vacuum_scale_factor": "0.05",
        # A new month doubles within hours; plans must not assume that it is empty.
        "autovacuum_analyze_scale_factor": "0.05",
    },
    # Never updated, so pages can be full.
    # Changed once or twice, of which the indexes of what waits know.
    "parcels_webhookdelivery": {"autovacuum_vacuum_scale_factor": "0.02"},
    "parcels_shopmessage": {"autovacuum_vacuum_scale_factor": "0.05"},
    "parcels_webhookendpoint": COUNTERS,
    "parcels_webhookhour": COUNTERS,
    "parcels_scan": {**WRITTEN_ONCE, "autovacuum_analyze_scale_factor": "0.05"},
}
