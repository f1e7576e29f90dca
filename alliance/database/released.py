"""The release before this one: what is serving while this one's migrations run.

At a release, both are set to what is released. `lint_migrations` judges the migrations after these; the drill
`rollout` runs the code of that revision.
"""

REVISION = "caa8c5e96fa9"
LAST_MIGRATIONS = {
    "alliance": "0008_saved_views",
    "couriers": "0006_replaced_documents",
    "slas": "0012_turned_at",
    "parcels": "0010_turned_parcels",
}
