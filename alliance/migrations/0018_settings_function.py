"""The function that sets settings on a cluster: see alliance/database/postgresql/messages.py."""

from django.db import migrations

# Settings that the product changes for a transaction. The others are none of a statement's business.
_NAMES = (
    *("alliance.scope", "statement_timeout", "lock_timeout", "max_parallel_workers_per_gather"),
    *("enable_bitmapscan", "enable_mergejoin", "enable_seqscan", "enable_sort"),
    "citus.multi_shard_modify_mode",
)
# A word, a number, or a quoted text without escapes but for its quotes.
_SETTING = r"^\s*SET LOCAL ([a-z_.]+) = ([a-z0-9]+|'([^'\\;]|'')*')\s*$"

_FUNCTION = f"""
CREATE FUNCTION alliance_settings(settings text) RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
    setting text;
    parts text[];
BEGIN
    FOREACH setting IN ARRAY string_to_array(settings, ';') LOOP
        parts := regexp_match(setting, $pattern${_SETTING}$pattern$);
        IF (parts[1] = ANY (ARRAY[{", ".join(f"'{name}'" for name in _NAMES)}])) IS NOT TRUE THEN
            RAISE EXCEPTION 'alliance_settings() takes no "%": SET LOCAL of a setting it knows', setting
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        EXECUTE 'SET LOCAL ' || parts[1] || ' = ' || parts[2];
    END LOOP;
END
$function$
"""


class Migration(migrations.Migration):
    dependencies = [("alliance", "0017_key_of_events")]

    operations = [migrations.RunSQL(_FUNCTION, "DROP FUNCTION alliance_settings(text)")]
