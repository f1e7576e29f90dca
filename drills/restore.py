"""The worst day: a mistaken DELETE, then the data folder is gone. Back to the second before, by the runbook.

A server with an archive of WAL serves the product while clients book and scan. A full backup is taken, an
incremental one later. A second is named; after it more is booked, uploaded, and deleted by mistake; then the
server is killed and its data folder deleted. docs/operations.md restores it to that second, line by line.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings

from drills import runbook, servers
from drills.parts import Parts
from drills.product import ROOT, START_SECONDS, Product
from drills.servers import OWNER, REPLICATOR, ROLE, ProgramFailed, Server, Site
from tests.chaos import programs

CLIENTS, CLIENTS_AFTER = (0, 1, 2), (10, 11)
# Seconds of load before each backup, up to the named second, after it, and after the restore.
LOAD_SECONDS = 2.0, 4.0
# In production a minute: what is not in the archive when the disk dies is lost.
ARCHIVE_SECONDS = 2
WAIT_SECONDS = 60.0
# A copy that replays nothing for so long has reached the end of the archive.
QUIET_SECONDS = 2.0
ARCHIVED = {
    "archive_mode": "on",
    "archive_timeout": f"{ARCHIVE_SECONDS}s",
    # An incremental backup finds what has changed in summaries of WAL.
    "summarize_wal": "on",
}
NOTHING: Mapping[str, object] = {}
_SEQUENCES = "SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences"
_FINDING = re.compile(r"^(missing|without a row): (\S+)", re.MULTILINE)
MISSING, UNNAMED = "missing", "without a row"


class Drill:
    """One run: the server, a copy of it, the product, its clients, and what went wrong."""

    def __init__(self, site: Site, seed: str) -> None:
        self.site, self.seed, self.source = site, seed, random.Random(seed)
        self.archive, self.backups = site.make_folder("archive"), site.make_folder("backups")
        new = f"{self.archive}/%f.new"
        command = f"test ! -f {self.archive}/%f && cp %p {new} && mv {new} {self.archive}/%f"
        self.server = Server(site, "primary", {**ARCHIVED, "archive_command": command}, wal_segment_mb=4)
        self.copy = Server(site, "copy")
        self.media, self.months = site.folder / "media", site.folder / "months"
        self.product = Product(
            site.folder,
            database_url=site.url(ROLE, self.server),
            owner_url=site.url(OWNER, self.server),
            MEDIA_ROOT=str(self.media),
            ARCHIVE_ROOT=str(self.months),
            # Collected by whichever run finds it old.
            STATIC_ROOT=str(settings.STATIC_ROOT),
            PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        )
        self.notes = site.folder / "notes"
        self.notes.mkdir()
        self.book = runbook.Runbook(site)
        self.told: dict[str, object] = {"FULL": self.backups / "full"}
        self.told |= {"INCREMENTAL": self.backups / "incremental", "ARCHIVE": self.archive}
        self.told["LOST"] = self.server.data.with_name("lost")
        self.moment = self.disaster = 0.0
        self.handed_out: dict[str, int] = {}
        # Files beside the database at the named second, and at the end.
        self.files_then: set[str] = set()
        self.files_last: set[str] = set()
        self.wrong: list[str] = []
        self.began = time.monotonic()
        self.seconds: dict[str, float] = {}
        self.parts = Parts()

    def tell(self, what: str) -> None:
        """Say what is done now, for whoever watches."""
        sys.stderr.write(f"{time.monotonic() - self.began:6.1f} s  {what}\n")

    # --- how steps are run -----------------------------------------------------------------------

    def at_the_server(
        self, step: str, server: Server | None = None, variables: Mapping[str, object] = NOTHING
    ) -> str:
        """Run a step of the runbook as somebody at the database's machine."""
        self.tell(step)
        begun = time.monotonic()
        said = self.book.run(step, {**(server or self.server).variables(), **self.told, **variables})
        self.seconds.setdefault(step, time.monotonic() - begun)
        return said

    def at_the_product(self, step: str, variables: Mapping[str, object] = NOTHING, *, code: int = 0) -> str:
        """Run a step of the runbook as somebody at the product's machine; note another exit code as wrong."""
        self.tell(step)
        begun = time.monotonic()
        self.book.done.append(step)
        told = {name: str(value) for name, value in {**self.told, **variables}.items()}
        done = subprocess.run(
            ["/bin/sh", "-euc", runbook.steps()[step]],
            cwd=ROOT,
            env=self.product.environment | told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        self.seconds.setdefault(step, time.monotonic() - begun)
        if done.returncode != code:
            self.wrong.append(f"{step} ended with {done.returncode}, not {code}: {done.stdout[-1500:]}")
        return done.stdout

    @contextmanager
    def load(self, numbers: Sequence[int]) -> Iterator[list[programs.Program]]:
        """Have clients book and scan meanwhile."""
        environment = self.product.environment
        clients = [
            programs.script("shoppers", environment, self.notes, number, self.seed, self.notes)
            for number in numbers
        ]
        with programs.running(clients):
            yield clients

    def let_time_pass(self) -> None:
        time.sleep(self.source.uniform(*LOAD_SECONDS))

    def await_that(self, what: str, query: str, server: Server) -> None:
        """Wait until a query says yes."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not server.value(query):
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{what}: not within {WAIT_SECONDS:.0f} s")
            time.sleep(0.1)

    # --- the day ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Start the server and the product, with members, files, and a month that was moved out."""
        self.tell("an empty server, the product's tables, members")
        self.server.initialise()
        self.product.start()
        self.product.run("-m", "drills.restored", "fill", self.notes, self.product.port)

    def serve(self) -> None:
        """Serve and back up until the data folder is gone."""
        replicator = {"PGHOST": "127.0.0.1", "PGUSER": REPLICATOR}
        self.tell("load")
        with self.load(CLIENTS) as clients:
            self.let_time_pass()
            self.at_the_server("back-up-full", variables=replicator)
            self.at_the_product("record-full")
            self.let_time_pass()
            self.at_the_server("back-up-incremental", variables=replicator)
            self.at_the_product("record-incremental")
            self.lose_the_archive()
            self.name_a_second()
            self.let_time_pass()
            self.product.run("-m", "drills.restored", "upload")
            self.server.execute("DELETE FROM slas_commitment WHERE kind = 'delivery'")
            self.let_time_pass()
            self.check_health()
            self.handed_out = dict(self.server.execute(_SEQUENCES))
            self.files_last = self.files()
            for client in clients:
                client.kill()
            self.disaster = time.time()
            self.server.kill()
        self.tell("the server is killed, its data folder deleted")
        self.lose_the_data_folder()
        self.product.stop()

    def lose_the_data_folder(self) -> None:
        """Delete it; now and then a part of the disk can still be read: what WAL it had."""
        lost = Path(str(self.told["LOST"]))
        if self.source.random() < 0.5:
            self.server.data.rename(lost)
            self.at_the_server("save-wal")
            shutil.rmtree(lost)
        else:
            shutil.rmtree(self.server.data)

    def ask_for_standbys(self) -> None:
        """Have the restored settings wait for standbys, as those of a primary that had any do."""
        settings = self.server.data / "postgresql.auto.conf"
        settings.write_text(f"{settings.read_text()}synchronous_standby_names = 'ANY 1 (alpha, beta)'\n")

    def lose_the_archive(self) -> None:
        """Have the archive's disk away for a while: readiness says so, and WAL waits for it."""
        self.tell("the archive's disk is away")
        away = self.archive.with_name("archive-away")
        self.archive.rename(away)
        self.await_that("WAL to wait", "SELECT failed_count > 0 FROM pg_stat_archiver", self.server)
        told: dict[str, Any] = {}
        deadline = time.monotonic() + WAIT_SECONDS
        while not (told.get("failures") and told["behind_seconds"]) and time.monotonic() < deadline:
            told = self.readiness()["backups"].get("archive", {})
        if not told.get("failures") or not told["behind_seconds"]:
            self.wrong.append(f"without the archive's disk readiness says of it: {told}")
        away.rename(self.archive)

    def name_a_second(self) -> None:
        """Name the second to go back to, and let it pass; wait until the archive has it."""
        self.tell("the second to go back to is named")
        self.moment = float(int(time.time()) + 1)
        self.files_then = self.files()
        time.sleep(max(self.moment - time.time(), 0) + 0.01)
        segment = self.server.value("SELECT pg_walfile_name(pg_current_wal_lsn())")
        is_archived = f"SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver"
        self.await_that("the archive to have the named second", is_archived, self.server)

    def files(self) -> set[str]:
        """Return the files beside the database."""
        paths = (path for folder in (self.media, self.months) for path in folder.rglob("*"))
        return {str(path) for path in paths if path.is_file()}

    def check_health(self) -> None:
        """See readiness tell of the last backup, and of an archive that keeps up."""
        check: dict[str, Any] = {"detail": "unknown"}
        deadline = time.monotonic() + WAIT_SECONDS
        # On a busy machine the database may not answer readiness in time.
        while check.get("detail") == "unknown" and time.monotonic() < deadline:
            check = self.readiness()["backups"]
        name = check.get("last", {}).get("name")
        if not check["ok"] or name != "incremental" or "warning" in check or "archive" not in check:
            self.wrong.append(f"readiness says of backups: {check}")

    def readiness(self) -> dict[str, Any]:
        address = f"http://127.0.0.1:{self.product.port}/readyz"
        try:
            answer = urllib.request.urlopen(address, timeout=20).read()
        except urllib.error.HTTPError as error:
            answer = error.read()
        checks: dict[str, Any] = json.loads(answer)["checks"]
        return checks

    def restore(self) -> None:
        """Go back to the named second, by the runbook alone."""
        named = f"{datetime.fromtimestamp(self.moment, UTC):%Y-%m-%d %H:%M:%S}+00"
        self.told["MOMENT"] = named
        begun = time.monotonic()
        self.at_the_server("combine")
        self.ask_for_standbys()
        self.at_the_server("recover")
        is_there = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        self.await_that("the server to reach the named second", is_there, self.server)
        self.at_the_server("look")
        self.at_the_server("promote-restored")
        self.await_that("the server to take writes", "SELECT NOT pg_is_in_recovery()", self.server)
        self.seconds["restore"] = time.monotonic() - begun

    def look_at_files(self) -> None:
        """Lose a file, and see it and those of after the named second listed; then agree."""
        lost = Path(self.source.choice(sorted(self.files_then)))
        lost.rename(self.notes / lost.name)
        said = self.at_the_product("set-files-aside", {"ASIDE": self.site.folder / "aside"}, code=1)
        found = {
            kind: {path for name, path in _FINDING.findall(said) if name == kind}
            for kind in (MISSING, UNNAMED)
        }
        expected = {MISSING: {str(lost)}, UNNAMED: self.files_last - self.files_then}
        if found != expected:
            self.wrong.append(f"audit_files found {found} instead of {expected}")
        (self.notes / lost.name).rename(lost)
        self.at_the_product("audit-files")

    def list_what_is_lost(self) -> str:
        """Restore a copy to the end of the archive, and list what was booked since the named second."""
        self.at_the_server("combine", self.copy)
        self.at_the_server("follow-to-the-end", self.copy)
        self.await_the_end()
        where = {"DATABASE_URL": self.site.url(ROLE, self.copy)}
        return self.at_the_product("list-what-is-lost", where)

    def await_the_end(self) -> None:
        """Wait until the copy finds no more in the archive."""
        replayed, found = "", "?"
        while replayed != found:
            replayed = found
            time.sleep(QUIET_SECONDS)
            found = self.copy.value("SELECT pg_last_wal_replay_lsn()::text")

    def serve_again(self) -> None:
        """Start the product; clients book and scan on, and end what they have begun."""
        self.tell("load again")
        self.product.start()
        with self.load(CLIENTS_AFTER) as clients:
            self.let_time_pass()
            for client in clients:
                client.finish()

    def judge(self, listed: str) -> dict[str, Any]:
        """Compare the data with what clients were told, and run all audits."""
        self.tell("audits")
        moments = (self.moment, self.disaster)
        said = self.product.run("-m", "drills.restored", "judge", self.notes, self.product.port, *moments)
        found: dict[str, Any] = json.loads(said)
        self.wrong += found["wrong"]
        if not found["lost"]:
            self.wrong.append("nothing was sent between the named second and the disaster")
        now = dict(self.server.execute(_SEQUENCES))
        low = [name for name, value in self.handed_out.items() if value and now.get(name, 0) <= value]
        if low:
            self.wrong.append(f"ids would be handed out again: {', '.join(low)}")
        found["listed"] = sum(number in listed for number in found["lost_numbers"])
        return found


def run(seed: str) -> int:
    """Run the drill; print what it took and what was lost; return the exit code."""
    begun = time.monotonic()
    with servers.site("restore") as site:
        drill = Drill(site, seed)
        parts = drill.parts
        found: dict[str, Any] = {}
        try:
            with parts.part("start the server and the product"):
                drill.prepare()
            with parts.part("serve, back up, lose it all"):
                drill.serve()
            with parts.part("restore"):
                drill.restore()
            with parts.part("after_restore, audit_rates"):
                drill.at_the_product("after-restore")
            with parts.part("compare files with rows"):
                drill.look_at_files()
            with parts.part("list what is lost, from a copy"):
                listed = drill.list_what_is_lost()
            with parts.part("serve again"):
                drill.serve_again()
            with parts.part("audits"):
                found = drill.judge(listed)
        except (ProgramFailed, RuntimeError, OSError, psycopg2.Error, subprocess.SubprocessError) as error:
            drill.wrong.append(str(error))
        finally:
            _stop(drill)
        report(drill, found, time.monotonic() - begun)
        return 1 if drill.wrong else 0


def report(drill: Drill, found: dict[str, Any], seconds: float) -> None:
    """Print sizes, seconds, what was acknowledged and what is there."""
    say, took = sys.stdout.write, drill.seconds
    for kind in ("full", "incremental"):
        if seconds_taken := took.get(f"back-up-{kind}"):
            size = f"{_megabytes(drill.backups / kind):.1f} MB in {seconds_taken:.1f} s, verified"
            say(f"{kind} backup".ljust(21) + size + "\n")
    segments = len([path for path in drill.archive.iterdir() if len(path.name) == 24])
    say(f"archive of WAL       {_megabytes(drill.archive):.1f} MB in {segments} segments\n")
    if found:
        named, lost = datetime.fromtimestamp(drill.moment, UTC), found["lost_numbers"]
        say(f"restored to          {named:%Y-%m-%d %H:%M:%S} UTC in {took['restore']:.1f} s,")
        say(f" {drill.disaster - drill.moment:.1f} s before the disaster\n")
        say(
            f"acknowledged         {found['acknowledged']} parcels and scans before that second and since the"
        )
        say(f" restore, {found['missing']} of them lost\n")
        say(f"sent in between      {found['lost']} calls, {found['still_there']} of them still there;")
        say(f" {found['listed']} of {len(lost)} lost parcels are in the archive, and listed\n")
        say(f"in the data now      {found['parcels']} parcels, {found['scans']} scans\n")
    for line in drill.parts.lines():
        say(f"{line}\n")
    for wrong in drill.wrong[:30]:
        say(f"WRONG: {wrong}\n")
    steps = len(set(drill.book.done))
    say(f"seed {drill.seed}: {steps} steps of the runbook, {len(drill.wrong)} wrong, {seconds:.0f} s\n")


def _stop(drill: Drill) -> None:
    """Stop what the drill and its steps of the runbook started."""
    drill.product.stop()
    # The Valkey of its state folder, should it have stayed behind.
    drill.product.run("manage.py", "reset", "--yes")
    for server in (drill.server, drill.copy):
        server.kill()


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills restore", description=__doc__)
    parser.add_argument("--seed", default="", help="repeats a run; without, a new one")
    return run(parser.parse_args(arguments).seed or str(random.randrange(2**32)))
