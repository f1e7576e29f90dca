# PostgreSQL with pgBackRest: the server archives its WAL by it, the service `backup` takes backups.
FROM postgres:15-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends pgbackrest \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=postgres --group=postgres --mode=750 /var/lib/pgbackrest
COPY deploy/pgbackrest.conf /etc/pgbackrest.conf
COPY --chmod=755 deploy/backup.sh /usr/local/bin/backup.sh
