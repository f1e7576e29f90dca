#!/bin/sh
# Back the database up by pgBackRest, as its system user, and tell the product, which watches the last backup's
# age: a full backup on Sundays and the first time, an incremental one otherwise. "daily": each night at 02:30
# UTC, and again after ten minutes if it failed.
set -eu

if [ "${1:-}" = daily ]; then
    while true; do
        # As a command: in a condition of its own the shell would not stop at the first line that fails.
        if "$0"; then
            now=$(date -u +%s)
            next=$(date -u -d 02:30 +%s)
            [ "$next" -gt "$now" ] || next=$((next + 86400))
            sleep $((next - now))
        else
            echo "The backup failed; it is tried again in ten minutes." >&2
            sleep 600
        fi
    done
fi

pgbackrest --stanza=alliance stanza-create
pgbackrest --stanza=alliance check
if [ "$(date -u +%u)" = 7 ]; then
    pgbackrest --stanza=alliance --type=full backup
    pgbackrest --stanza=alliance verify
else
    pgbackrest --stanza=alliance --type=incr backup
fi
psql --quiet --set=ON_ERROR_STOP=1 --dbname=alliance \
    --set=info="$(pgbackrest --stanza=alliance --output=json info)" <<'SQL'
INSERT INTO alliance_heartbeat (name, at, detail)
SELECT 'backup', to_timestamp((b -> 'timestamp' ->> 'start')::bigint), jsonb_build_object(
    'kind', CASE b ->> 'type' WHEN 'full' THEN 'full' ELSE 'incremental' END,
    'bytes', (b -> 'info' ->> 'size')::bigint, 'name', b ->> 'label')
FROM jsonb_array_elements(:'info'::jsonb -> 0 -> 'backup') AS b
ORDER BY b -> 'timestamp' ->> 'start' DESC LIMIT 1
ON CONFLICT (name) DO UPDATE SET at = excluded.at, detail = excluded.detail;
SQL
