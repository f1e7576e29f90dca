"""Functions of the database on a cluster."""

from alliance.database.distribution.nodes import rows
from alliance.database.placements import BY_PARCEL, REFERENCE

# Those of triggers and policies are taken along with their table. Others are asked for by the statements that
# a worker gets: what is computed of a row's own values, and aggregates.
_NEEDED_ON_WORKERS = """
    SELECT oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace AND proowner = current_user::regrole
    AND (prokind = 'a' OR provolatile = 'i') AND prorettype <> 'trigger'::regtype
    AND NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_dist_object WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid
    )
    ORDER BY 1
"""
# Citus plans a statement for the values it is sent with.
_WITH_GENERIC_PLANS = """
    SELECT oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace AND proowner = current_user::regrole
    AND 'plan_cache_mode=force_generic_plan' = ANY (proconfig) AND prosrc ~ %s ORDER BY 1
"""


def needed_on_workers() -> list[str]:
    """Return the functions that workers need and do not have."""
    return [name for (name,) in rows(_NEEDED_ON_WORKERS)]


def with_generic_plans() -> list[str]:
    """Return the functions that ask for distributed tables, and would be planned without values."""
    tables = "|".join([*BY_PARCEL, *REFERENCE])
    return [name for (name,) in rows(_WITH_GENERIC_PLANS, [rf"\m({tables})\M"])]


def make_missing() -> tuple[int, int]:
    """Make on the workers what they need, and have others planned with values; return how many of each."""
    missing, generic = needed_on_workers(), with_generic_plans()
    for name in missing:
        rows("SELECT create_distributed_function(%s)", [name])
    for name in generic:
        rows(f"ALTER FUNCTION {name} SET plan_cache_mode = 'force_custom_plan'")
    return len(missing), len(generic)
