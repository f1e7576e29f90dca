#!/bin/sh
# Run once by the PostgreSQL image, in a new data folder. The owner has database and tables, is exempt from
# row-level security, and is used by migrations only. The server's role owns nothing and is bound by it; `migrate`
# grants it the rows of the tables.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$ALLIANCE_OWNER_PASSWORD" --set password="$ALLIANCE_PASSWORD" <<'SQL'
CREATE ROLE alliance_owner LOGIN NOSUPERUSER BYPASSRLS NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE alliance LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'password';
CREATE DATABASE alliance OWNER alliance_owner
    ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0;
REVOKE TEMPORARY ON DATABASE alliance FROM PUBLIC;
SQL
