"""The function that sets settings on a cluster takes a third of the time: it looks, and copies nothing."""

from django.db import migrations

# As before: settings that the product changes for a transaction, and what it writes.
_NAMES = (
    *("alliance.scope", "statement_timeout", "lock_timeout", "max_parallel_workers_per_gather"),
    *("enable_bitmapscan", "enable_mergejoin", "enable_seqscan", "enable_sort"),
    "citus.multi_shard_modify_mode",
)
# Without parts to copy out, which took longer than all else.
_SETTING = r"^\s*SET LOCAL [a-z_.]+ = (?:[a-z0-9]+|'(?:[^'\\;]|'')*')\s*$"

_FUNCTION = f"""
CREATE OR REPLACE FUNCTION alliance_settings(settings text) RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY string_to_array(settings, ';') LOOP
        IF setting !~ $pattern${_SETTING}$pattern$
            OR split_part(ltrim(setting), ' ', 3) <> ALL (ARRAY[{", ".join(f"'{name}'" for name in _NAMES)}])
        THEN
            RAISE EXCEPTION 'alliance_settings() takes no "%": SET LOCAL of a setting it knows', setting
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        EXECUTE setting;
    END LOOP;
END
$function$
"""


class Migration(migrations.Migration):
    dependencies = [("alliance", "0019_fences")]

    # Back again, the function stays: it does the same.
    operations = [migrations.RunSQL(_FUNCTION, migrations.RunSQL.noop)]
