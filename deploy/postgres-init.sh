#!/bin/sh
# Run once by the PostgreSQL image, in a new data folder: the application's role is neither
# superuser nor exempt from row-level security, and it owns its database.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --set password="$ALLIANCE_PASSWORD" <<'SQL'
CREATE ROLE alliance LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'password';
CREATE DATABASE alliance OWNER alliance ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0;
SQL
