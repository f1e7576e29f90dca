"""Description of a run: machine, versions, commit, date."""

import os
import platform
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings

from benchmarks.database import parameters_of

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("Django", "djangorestframework", "psycopg2-binary", "gunicorn", "celery", "msgspec")


def describe() -> dict[str, Any]:
    """Return the properties that the numbers of a run depend on."""
    with closing(psycopg2.connect(**parameters_of("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, setting || coalesce(' ' || unit, '') FROM pg_settings"
            " WHERE name = ANY(%s) ORDER BY name",
            [["server_version", "shared_buffers", "synchronous_commit", "fsync", "wal_compression"]],
        )
        database = dict(cursor.fetchall())
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {
            "Python": platform.python_version(),
            "PostgreSQL": database.pop("server_version"),
            **{name: version(name) for name in _PACKAGES},
        },
        "database": database,
        "web": {"processes": os.environ.get("WEB_WORKERS", "2"), "threads": settings.WEB_THREADS},
    }


def sentence(run: dict[str, Any]) -> str:
    """Return a sentence or two about the origin of the numbers."""
    machine, versions = run["machine"], run["versions"]
    parcels = f"; {run['parcels']:,} parcels in the tables" if "parcels" in run else ""
    again = ", ".join(
        f"{name} ({when['date'][:10]}, commit {when['commit']})"
        for name, when in run.get("measured again", {}).items()
    )
    since = f". Since then measured again: {again}" if again else ""
    return (
        f"{run['date'][:10]}, commit {run['commit']}; {machine['cores']} cores of {machine['processor']},"
        f" {machine['memory_gb']:g} GB; Python {versions['Python']}, PostgreSQL"
        f" {versions['PostgreSQL']}{parcels}{since}"
    )


def _commit() -> str:
    """Return the commit, with a plus if files differ from it; empty outside a clone."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()
