"""How the hot tables of parcels are stored and cleaned, and why."""

from typing import Final

from alliance.database.table_storage import WRITTEN_ONCE

TABLE_STORAGE: Final[dict[str, dict[str, str]]] = {
    # Five updates in a parcel's life, all of them of columns without an index.
    "parcels_parcel": {
        "fillfactor": "85",
        "autovacuum_vacuum_scale_factor": "0.05",
        # A young month doubles within hours; plans must not go by an empty one.
        "autovacuum_analyze_scale_factor": "0.05",
    },
    # Never updated: full pages.
    "parcels_scan": {**WRITTEN_ONCE, "autovacuum_analyze_scale_factor": "0.05"},
}
