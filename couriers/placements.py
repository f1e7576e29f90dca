"""Where the tables of couriers are on a cluster."""

from typing import Final

from alliance.database.placements import Placements

PLACEMENTS: Final = Placements(
    local=(
        "couriers_application",
        "couriers_applicationevent",
        "couriers_changerequest",
        "couriers_courier",
        "couriers_courierhome",
        "couriers_document",
        "couriers_facility",
        "couriers_servicecity",
    ),
)
