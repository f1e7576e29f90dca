"""Components of pages that are filled by Python: the steps of a sequence, and a history."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from alliance.dates import date_text
from alliance.web.stencils import filled

# Of an entry of a history: see components/timeline_entry.html.
_TEXTS = ("title", "when", "place", "text", "detail", "url")


class _Step(NamedTuple):
    label: str
    state: str
    url: str


def stepper(steps: Iterable[Mapping[str, Any]], *, label: str = "") -> SafeString:
    """Show the current step of a sequence. A step: label, state (done, current, todo, error), url."""
    shown = tuple(
        _Step(str(step["label"]), step.get("state", "todo"), str(step.get("url", ""))) for step in steps
    )
    # A phone has room for one label: that of the last step that is not still to do.
    reached = [place for place, step in enumerate(shown) if step.state != "todo"]
    current = [place for place in reached if shown[place].state == "current"]
    present = (current or reached or [0])[-1]
    # Few sequences are ever shown: the whole of one is remembered.
    shape = {"steps": shown, "present": present, "label": label or gettext("Steps")}
    return filled("components/stepper.html", {}, shape)


def timeline(entries: Iterable[Mapping[str, Any]], *, empty: str = "") -> SafeString:
    """Show a history, newest first. Keys of an entry: see components/timeline_entry.html."""
    shown, has_newest = [], False
    for entry in entries:
        # A revoked entry is not the current state.
        is_newest = not (has_newest or entry.get("struck"))
        has_newest = has_newest or is_newest
        shown.append(_entry(entry, is_newest=is_newest))
    texts = {"entries": shown, "empty": empty or gettext("No history yet.")}
    return filled("components/timeline.html", texts, {})


def _entry(entry: Mapping[str, Any], *, is_newest: bool) -> SafeString:
    texts = {name: _text(entry[name]) for name in _TEXTS if entry.get(name)}
    if "when" not in texts and entry.get("at"):
        at = timezone.localtime(entry["at"])
        texts |= {"when": date_text(at, "SHORT_DATETIME_FORMAT"), "moment": at.isoformat()}
    shape = {
        "icon": entry.get("icon") or "point",
        "colour": entry.get("colour") or "slate",
        "struck": bool(entry.get("struck")),
        "newest": is_newest,
    }
    return filled("components/timeline_entry.html", texts, shape)


def _text(value: Any) -> str:
    # A label may be translated only when it is written.
    return value if isinstance(value, str) else str(value)
