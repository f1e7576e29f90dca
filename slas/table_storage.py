"""The storage and vacuum settings of the busy tables of promises, rates and credits, with reasons."""

from typing import Final

from alliance.database.table_storage import COUNTERS, QUEUE

TABLE_STORAGE: Final[dict[str, dict[str, str]]] = {
    # A row is judged once, which moves it to another partial index; free space keeps the new version on its
    # page.
    "slas_commitment": {
        "fillfactor": "85",
        "autovacuum_vacuum_scale_factor": "0.05",
        # Rows that leave the index of pending commitments stay in it until a vacuum, and the sweep reads that
        # index.
        "autovacuum_vacuum_cost_delay": "0",
        "autovacuum_analyze_scale_factor": "0.05",
    },
    "slas_breach": {"autovacuum_analyze_scale_factor": "0.05"},
    "slas_tally": QUEUE,
    "slas_progresstally": QUEUE,
    "slas_creditcheck": QUEUE,
    "slas_creditsum": COUNTERS,
    "slas_ontimerate": COUNTERS,
    # One row per courier: written by every sweep and every fold.
    "slas_overduecount": {"fillfactor": "50"},
    "slas_progress": COUNTERS,
    "slas_capacityday": COUNTERS,
    # Rewritten every five minutes.
    "slas_watchitem": {"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.05"},
}
