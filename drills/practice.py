"""A place to practise the runbook by hand: `python -m drills practice`.

Two servers of which the first runs and the second is to be made, a third for a copy, an archive of WAL, a
folder for backups, and the product's settings: for each a shell that has what docs/operations.md calls
variables. Ctrl-C stops and deletes all of it.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from alliance.embedded.folders import account
from drills.product import ROOT
from drills.servers import OWNER, REPLICATOR, ROLE, Server, Site, running, site

ARCHIVED = {"archive_mode": "on", "archive_timeout": "10s", "summarize_wal": "on"}
NAMES = ("alpha", "beta")
_SHELL = """\
#!/bin/sh
# A shell with what the runbook calls variables; or a command with them.
{variables}
cd {folder}
[ $# -gt 0 ] || if command -v bash >/dev/null; then set -- bash --norc; else set -- sh; fi
exec {switch} "$@"
"""
_WELCOME = """
Open shells of their own, and go through docs/operations.md; its variables have values there.

  {folder}/alpha    at the primary, which runs: process $(head -n 1 "$PGDATA/postmaster.pid")
  {folder}/beta     at the standby: make it with the step `rebuild`, then run `synchronous` at alpha
  {folder}/product  at the product: python manage.py up --port 8001 --demo-days 2
  {folder}/copy     where a copy may be restored to, and followed to the end

`export MOMENT=...` and `export LOST=...` yourself. As backups are taken by TCP, put before them
`PGHOST=127.0.0.1 PGUSER={replicator}`. Ctrl-C here stops and deletes everything.
"""


def shell(path: Path, variables: Mapping[str, object], folder: Path, *, as_server: bool) -> None:
    """Write a program that opens a shell with these variables, as the servers' account if there is one."""
    user = account() if as_server else None
    switch = f"setpriv --reuid={user.uid} --regid={user.gid} --clear-groups" if user else ""
    lines = (f"export {name}={shlex.quote(str(value))}" for name, value in variables.items())
    path.write_text(_SHELL.format(variables="\n".join(lines), folder=shlex.quote(str(folder)), switch=switch))
    path.chmod(0o755)


def prepare(place: Site) -> tuple[Server, Server, Server]:
    """Configure the servers and write the shells; return the servers, of which none runs yet."""
    archive, backups = place.make_folder("archive"), place.make_folder("backups")
    new = f"{archive}/%f.new"
    command = f"test ! -f {archive}/%f && cp %p {new} && mv {new} {archive}/%f"
    alpha, beta = (Server(place, name, {**ARCHIVED, "archive_command": command}) for name in NAMES)
    copy = Server(place, "copy")
    told: dict[str, object] = {
        "ARCHIVE": archive,
        "STANDBYS": ", ".join(NAMES),
        "ASIDE": place.folder / "aside",
    }
    told |= {"FULL": backups / "full", "INCREMENTAL": backups / "incremental"}
    everywhere = place.environment()
    programs = {name: everywhere[name] for name in ("PATH", "PGPASSFILE", "HOME")}
    shells = place.make_folder("shells")
    for server in (alpha, beta, copy):
        other = alpha if server is beta else beta
        primary = f"host=127.0.0.1 port={other.port} user={REPLICATOR} dbname=postgres"
        own = {**programs, **server.variables(), **told, "PRIMARY": primary, "PS1": f"{server.name}$ "}
        shell(shells / server.name, own, place.folder, as_server=True)
    product = {
        **told,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ALLIANCE_HOME": place.folder / "state",
        "DATABASE_URL": place.url(ROLE, alpha, beta),
        "OWNER_DATABASE_URL": place.url(OWNER, alpha, beta),
        "PS1": "product$ ",
    }
    shell(shells / "product", product, ROOT, as_server=False)
    shells.chmod(0o755)
    return alpha, beta, copy


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills practice", description=__doc__)
    parser.parse_args(arguments)
    with site("practice") as place:
        servers = prepare(place)
        with running(*servers):
            servers[0].initialise()
            sys.stdout.write(_WELCOME.format(folder=place.folder / "shells", replicator=REPLICATOR))
            sys.stdout.flush()
            try:
                while True:
                    # Until it is looked at, one that was killed is a zombie, which pg_ctl takes for a server.
                    servers[0].lives()
                    time.sleep(0.5)
            except KeyboardInterrupt:
                return 0
