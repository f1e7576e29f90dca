"""What schemathesis does around each call of `drills api`: ask for what is there, and count the answers."""

import atexit
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any, Final

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

_KNOWN: Final[dict[str, list[str]]] = json.loads(Path(os.environ["API_DRILL_KNOWN"]).read_text())
_CITIES: Final = ("CN-HGH", "CN-CTU", "CN-SHA", "CN-PEK", "杭州", "Chengdu")
_BY_ITEM: Final = {"scans_create", "parcels_batch_create", "parcels_cancel_batch", "parcels_labels"}
_source: Final = random.Random(os.environ["API_DRILL_SEED"])
_statuses: Final[Counter[str]] = Counter()


@schemathesis.hook
def before_call(_context: Any, case: Any, _arguments: Any) -> None:
    """Have one of two sound cases ask for what is there: no number made at random is a parcel's."""
    if case.meta is None or not case.meta.generation.mode.is_positive or _source.random() < 0.5:
        return
    for name in case.path_parameters or {}:
        if values := _KNOWN.get(name):
            case.path_parameters[name] = _source.choice(values)
    _fill(case.body)


def _fill(body: Any) -> None:
    if isinstance(body, list):
        for inner in body:
            _fill(inner)
    if not isinstance(body, dict):
        return
    for name, value in body.items():
        if name in {"origin", "destination"} and isinstance(value, str):
            body[name] = _source.choice(_CITIES)
        elif values := _KNOWN.get(name.removesuffix("s")):
            if isinstance(value, str):
                body[name] = _source.choice(values)
            elif isinstance(value, list) and value and isinstance(value[0], str):
                body[name] = _source.sample(values, min(len(value), len(values)))
        else:
            _fill(value)


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, _response: Any) -> bool:
    """Pass over what is no fault: a batch is answered 200 and tells which of its items it rejects."""
    operation = case.operation.definition.raw["operationId"]
    return not (operation in _BY_ITEM and isinstance(failure, AcceptedNegativeData))


@schemathesis.hook
def after_call(_context: Any, _case: Any, response: Any) -> None:
    """Count it by its status."""
    _statuses[str(response.status_code)] += 1


@atexit.register
def _note() -> None:
    Path(os.environ["API_DRILL_NOTED"]).write_text(json.dumps(_statuses))
