"""The two ends of the chaos around `manage.py up`, run on its own data: `python -m tests.chaos.product
populate|verdict FOLDER PORT`."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.utils import timezone

from alliance import embedded
from alliance.capabilities import KEY_SCOPES
from alliance.identifiers import parse_tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.members.services.api_keys import create_api_key
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel, Scan
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.services.entries import work_out_credits
from slas.forecasts.services.folding import fold_progress
from slas.rates.services.folding import fold_tallies
from tests.chaos import stage, verdict
from tests.chaos.shoppers import WORLD


def populate(folder: Path, port: int) -> None:
    """Make members with keys, and tell the clients of them."""
    stage.populate()
    with scope(Scope.everything()):
        members = list(Organisation.objects.order_by("pk"))
    world = {
        "port": port,
        "cities": stage.CITIES,
        "merchants": [_key(member) for member in members if member.kind == "merchant"],
        "couriers": {member.public_id: _key(member) for member in members if member.kind == "courier"},
    }
    (folder / WORLD).write_text(json.dumps(world))


def _key(organisation: Organisation) -> str:
    actor = actor_of_organisation(organisation, kind="user", label="chaos")
    with scope(Scope.of(actor)):
        return create_api_key(actor=actor, name="chaos", scopes=KEY_SCOPES & actor.capabilities)[1]


def judge(folder: Path) -> dict[str, Any]:
    """Say what happened, and everything that is not as the clients were told."""
    sweep_overdue(now=timezone.now())
    fold_tallies()
    fold_progress()
    work_out_credits(now=timezone.now())
    notes = [
        json.loads(line) for path in folder.glob("shopper-*.jsonl") for line in path.read_text().splitlines()
    ]
    sent = {note["send"]: note for note in notes if "send" in note}
    done = {note["done"]: note["answer"] for note in notes if "done" in note}
    told = verdict.Told(failed=[note["failed"] for note in notes if "failed" in note])
    for key, answer in done.items():
        told.booked |= {parse_tracking_number(number) for number, _courier in answer.get("results", [])}
        if "accepted" in answer:
            told.scanned |= _events(sent[key])
    with scope(Scope.everything()):
        happened = {"calls": len(sent), "parcels": Parcel.objects.count(), "scans": Scan.objects.count()}
        wrong = [*_calls(sent, done), *_once(sent), *verdict.complaints(told, now=timezone.now())]
    return {"happened": happened, "wrong": wrong}


def _calls(sent: dict[str, Any], done: dict[str, Any]) -> Iterator[str]:
    """Each call ended well, and nothing of it was refused."""
    yield from (f"{key} was never answered" for key in sent.keys() - done.keys())
    yield from (f"{key} was refused in part: {answer}" for key, answer in done.items() if answer["rejected"])
    for key, answer in done.items():
        items = len(sent[key]["items"])
        if "accepted" in answer and answer["accepted"] + answer["duplicate"] != items:
            yield f"{key} had {items} scans and was answered {answer}"


def _once(sent: dict[str, Any]) -> Iterator[str]:
    """What was sent is there once, however often it was sent; and nothing else is."""
    references = Counter(Parcel.objects.values_list("reference", flat=True))
    wanted = {item["reference"] for note in sent.values() for item in note["items"] if "reference" in item}
    yield from (f"{name} is there {references[name]} times" for name in wanted if references[name] != 1)
    yield from (f"nobody ever booked {name}" for name in references.keys() - wanted)
    scans = Counter(Scan.objects.values_list("parcel_id", "event_id"))
    events = {event for note in sent.values() if note["path"].endswith("scans") for event in _events(note)}
    yield from (f"scan {event} is there {scans[event]} times" for event in events if scans[event] != 1)
    yield from (f"nobody ever sent scan {event}" for event in scans.keys() - events)


def _events(note: dict[str, Any]) -> set[tuple[int, str]]:
    return {(parse_tracking_number(item["tracking_number"]), item["event_id"]) for item in note["items"]}


def main() -> None:
    what, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with embedded.running():
        if what == "populate":
            populate(folder, port)
        else:
            sys.stdout.write(json.dumps(judge(folder)))


if __name__ == "__main__":
    main()
