"""The API against its own schema: `python -m drills api 20000 --seed 1`.

Starts the product with a small demo alliance, makes keys of each kind, and has schemathesis send what the
schema allows and what it does not, in rounds that take turns by key, until so many calls were answered.
Prints how they were answered, and ends with 1 if one answer broke a check.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import django

from drills import servers
from drills.product import ROOT, Product
from drills.servers import OWNER, ROLE, Server

DEMO_DAYS: Final = 8
# Test cases of an operation in a round; each key's first round also sends the edges of every field.
EXAMPLES: Final = 8
_ROUND_SECONDS: Final = 3_600
_ANSWER_SECONDS: Final = 60
# Rules that no schema tells refuse what fits it (an unknown city, a parcel of others): that is no fault.
_WITHOUT: Final = "positive_data_acceptance"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills api", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("calls", type=int, nargs="?", default=2_000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default: %(default)s)")
    options = parser.parse_args(arguments)
    with servers.site("api") as site:
        server = Server(site, "primary")
        urls = {"database_url": site.url(ROLE, server), "owner_url": site.url(OWNER, server)}
        os.environ |= {"ALLIANCE_HOME": str(site.folder / "state"), "LOG_LEVEL": "WARNING"}
        os.environ |= {"DATABASE_URL": urls["database_url"], "OWNER_DATABASE_URL": urls["owner_url"]}
        django.setup()
        from tests.chaos import stage  # noqa: PLC0415 -- needs the settings

        with servers.running(server), stage.own_valkey(site.folder) as redis_url:
            server.initialise()
            limits = {"TRACKING_RATE_PER_MINUTE": "1000000", "REDIS_URL": redis_url}
            with Product(site.folder, **urls, **limits) as product:
                product.start()
                product.run("manage.py", "demo", "--days", DEMO_DAYS)
                keys = json.loads(product.run("-m", "drills.api_keys"))
                return _report(*run(site.folder, product.port, keys, options.calls, options.seed))


def run(
    folder: Path, port: int, keys: dict[str, str], calls: int, seed: int
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Run rounds until `calls` were answered; return the statuses by kind of key, and what went wrong."""
    told: dict[str, Counter[str]] = {kind: Counter() for kind in keys}
    wrong: list[str] = []
    turn = 0
    while sum(sum(statuses.values()) for statuses in told.values()) < calls:
        kind = [*keys][turn % len(keys)]
        phases = "examples,coverage,fuzzing,stateful" if turn < len(keys) else "fuzzing,stateful"
        code, said, statuses = _round(folder, port, (kind, keys[kind]), phases, seed + turn)
        if not statuses:
            return told, [*wrong, f"{kind}: nothing was sent: {said[-2000:]}"]
        told[kind].update(statuses)
        sys.stderr.write(f"seed {seed + turn}, {kind}: {statuses.total():,} calls, exit code {code}\n")
        if code:
            wrong.append(f"--- seed {seed + turn}, {kind}\n{said}")
        turn += 1
    return told, wrong


def _round(
    folder: Path, port: int, key: tuple[str, str], phases: str, seed: int
) -> tuple[int, str, Counter[str]]:
    kind, token = key
    url = f"http://127.0.0.1:{port}"
    known, noted = folder / f"known-{kind}.json", folder / "statuses.json"
    noted.unlink(missing_ok=True)
    known.write_text(json.dumps(_known(url, token)))
    headers = ["--header", f"Authorization: Bearer {token}"] if token else []
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/api/schema/", "--url", url,
        "--checks", "all", "--exclude-checks", _WITHOUT, "--phases", phases, "--seed", str(seed),
        "--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-shrink", "--no-color",
        "--warnings", "off", "--suppress-health-check", "all", "--generation-database", "none",
        "--request-timeout", str(_ANSWER_SECONDS), *headers,
    ]  # fmt: skip
    told = {
        "SCHEMATHESIS_HOOKS": "drills.api_calls",
        "API_DRILL_KNOWN": str(known),
        "API_DRILL_NOTED": str(noted),
        "API_DRILL_SEED": str(seed),
    }
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | told,
        timeout=_ROUND_SECONDS,
        check=False,
    )
    statuses = json.loads(noted.read_text()) if noted.exists() else {}
    return done.returncode, done.stdout, Counter(statuses)


def _known(url: str, token: str) -> dict[str, list[str]]:
    """What there is to ask for, by the name of a part of an address: read from every list the key may see."""
    schema = _get(f"{url}/api/schema/", "")
    parts: dict[str, dict[str, Any]] = {}
    for methods in schema["paths"].values():
        for operation in methods.values():
            for each in operation.get("parameters", []):
                if each["in"] == "path":
                    parts[each["name"]] = each["schema"]
    known: dict[str, set[str]] = {name: set() for name in parts}
    for path, methods in schema["paths"].items():
        if "{" not in path and "get" in methods:
            for field, value in _texts(_get(url + path, token)):
                for name, schema_of in parts.items():
                    pattern = schema_of.get("pattern")
                    if field == name or (pattern and re.search(pattern, value)):
                        known[name].add(value)
    return {name: sorted(values) for name, values in known.items()}


def _texts(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, field)
    elif isinstance(value, str):
        yield field, value


def _get(url: str, token: str) -> Any:
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        # Not for this key, or not without a parameter.
        refusal.close()
        return {}


def _report(told: dict[str, Counter[str]], wrong: list[str]) -> int:
    for text in wrong:
        print(text)  # noqa: T201 -- a drill reports
    for kind, statuses in told.items():
        by_status = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
        print(f"{kind.ljust(16)}{statuses.total():7,} calls; {by_status}")  # noqa: T201
    calls = sum(statuses.total() for statuses in told.values())
    print(f"{calls:,} calls; rounds with a violation: {len(wrong)}")  # noqa: T201
    return 1 if wrong else 0
