#!/bin/sh
# The standby's container: copy the primary into an empty data folder, then run as the image does. What is there is
# kept: after a failover this server may be the primary.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chown postgres "$PGDATA"
    chmod 700 "$PGDATA"
    # The password goes into the file of settings, which only the server's account can read.
    gosu postgres pg_basebackup --pgdata="$PGDATA" --write-recovery-conf --checkpoint=fast \
        --dbname="host=$PRIMARY_HOST port=5432 user=replicator password=$REPLICATOR_PASSWORD dbname=postgres \
            application_name=standby"
fi
exec docker-entrypoint.sh "$@"
