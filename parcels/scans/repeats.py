"""Scans that were sent before: the same once more, or another one under the same identity.

The same is a duplicate. Another one is rejected: as a duplicate it would be lost without a word. Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

from parcels.scans.lines import ScanLine

CODE: Final = "differs_from_first"


class Content(NamedTuple):
    """What a scan says, named as programs send it; None for what is not known any more."""

    code: str
    occurred_at: int
    reason: str
    facility: str | None
    consent: bool


def content_of(line: ScanLine, microseconds: int) -> Content:
    return Content(line.code, microseconds, line.reason or "", line.facility or "", bool(line.consent))


def difference(content: Content, first: Content) -> str:
    """The first field in which a scan differs from the one sent first, "" if it is the same."""
    pairs: Sequence[tuple[object, object]] = list(zip(content, first, strict=True))
    fields = (name for name, (new, old) in zip(Content._fields, pairs, strict=True) if old not in {None, new})
    return next(fields, "")


def refusal_of(line: ScanLine, field: str) -> tuple[str, str, str]:
    """Field, code and detail of the rejection of a line that differs from the one sent first."""
    if line.event_id:
        detail = _(
            "Another scan of this parcel has this event id, with another %(field)s. Send this one with an id"
            " of its own; withdraw the other by a correction if it was wrong."
        )
        return "event_id", CODE, detail % {"field": field}
    detail = _(
        "This scan was received with another %(field)s. Send this one with an event id; withdraw the other by"
        " a correction if it was wrong."
    )
    return field, CODE, detail % {"field": field}
