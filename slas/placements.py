"""Where the tables of promises, rates and credits are on a cluster."""

from typing import Final

from alliance.database.placements import Placements

PLACEMENTS: Final = Placements(
    by_parcel={
        "slas_breach": "parcel_id",
        "slas_commitment": "parcel_id",
        "slas_creditcheck": "parcel_id",
        "slas_creditentry": "parcel_id",
        "slas_excuse": "parcel_id",
        # The least parcel of those that it counts.
        "slas_progresstally": "parcel_id",
        "slas_revision": "parcel_id",
        "slas_tally": "parcel_id",
        "slas_watchitem": "parcel_id",
    },
    reference=(
        "slas_closure",
        # Entries name the schedule they were worked out by.
        "slas_creditschedule",
        "slas_disruption",
        "slas_servicetier",
        "slas_tierversion",
    ),
    local=(
        "slas_allocationrule",
        "slas_capacityday",
        "slas_closedmonth",
        "slas_creditfold",
        "slas_creditsum",
        "slas_export",
        "slas_offer",
        "slas_offerfile",
        "slas_ontimerate",
        "slas_overduecount",
        "slas_progress",
        "slas_scorecard",
        "slas_scorerules",
        "slas_statement",
    ),
)
