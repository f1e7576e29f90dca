#!/bin/sh
# Run once by the PostgreSQL image, in a new data folder. The owner has database and tables, is exempt from
# row-level security, and is used by migrations only. The server's role owns nothing and is bound by it; `migrate`
# grants it the rows of the tables. Standbys copy and follow the primary as `replicator`, who may do what pg_rewind
# does, and nothing else.
set -eu
echo 'host replication,postgres replicator all scram-sha-256' >>"$PGDATA/pg_hba.conf"
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$ALLIANCE_OWNER_PASSWORD" --set password="$ALLIANCE_PASSWORD" \
    --set replicator_password="$REPLICATOR_PASSWORD" <<'SQL'
CREATE ROLE alliance_owner LOGIN NOSUPERUSER BYPASSRLS NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE alliance LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'password';
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replicator_password';
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
    pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
CREATE DATABASE alliance OWNER alliance_owner
    ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0;
REVOKE TEMPORARY ON DATABASE alliance FROM PUBLIC;
SQL
