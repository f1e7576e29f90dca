"""Parse the bytes of a batch of scans into lines; each line is accepted or rejected separately.

Pure. The whole batch is decoded at once. Only if that fails, each line is decoded separately: a bad line
makes the batch slower, but does not affect the other lines.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from django.utils.translation import gettext as _

from alliance.errors import FieldError, InvalidInput, MalformedInput, TooLarge
from alliance.json_texts import decoded, malformed_json
from alliance.unknown_fields import CODE, pointer_step, unknown_field, unknown_fields

MAX_LINES: Final = 5_000
_PATH: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_UNKNOWN: Final = re.compile(r"unknown field `(.*)`", re.DOTALL)
_LONGEST: Final = re.compile(r"of length <= (\d+)")
_BYTE: Final = re.compile(r" \(byte (\d+)\)")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")

# Escapes that may be, or hide, a lone surrogate; the group matches a lone surrogate.
_SURROGATES: Final = re.compile(
    rb"\\(?:\\|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
# Replaces a lone surrogate: the escape of a noncharacter, in an unusual mix of cases.
_LONE_SURROGATE: Final = rb"\uFdD0"
# A batch with more of them is refused as a whole: this is no accident.
_MOST_SURROGATES: Final = 20_000

T = TypeVar("T")
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
# "" and null both mean that a field is absent: programs that fill in templates send either.
Short = Annotated[str, msgspec.Meta(max_length=64)]


class NamedScan(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An earlier scan that was sent without an event id."""

    code: str
    occurred_at: Moment
    facility: Short | None = None


class ScanLine(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One scan as it was sent: well-formed, not yet checked."""

    tracking_number: str
    code: str
    occurred_at: Moment
    event_id: Short | None = None
    reason: str | None = None
    facility: Short | None = None
    consent: bool | None = None
    corrects: Short | NamedScan | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one line of a batch was rejected. `pointer` is a JSON pointer into the batch."""

    index: int
    pointer: str
    code: str
    detail: str


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    scans: list[ScanLine]


_LINE: Final = msgspec.json.Decoder(ScanLine)
_LINES: Final = msgspec.json.Decoder(list[ScanLine])
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_RAW_LINES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_ENVELOPE: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_json(body: bytes) -> Sequence[ScanLine | Rejection]:
    """Read `[...]` or `{"scans": [...]}`.

    Raises MalformedInput if the body is not JSON or neither of the two, InvalidInput if it has no lines or
    other fields beside them, TooLarge if it has too many.
    """
    wrapped = body.lstrip()[:1] == b"{"
    try:
        lines = _ENVELOPE.decode(body).scans if wrapped else _LINES.decode(body)
    except (ValueError, RecursionError):
        return _require_count(_read_raw(_raw_items(body, wrapped)))
    return _require_count(lines)


def read_ndjson(body: bytes) -> Sequence[ScanLine | Rejection]:
    """Read one JSON object per line, ignoring empty lines. Raises InvalidInput and TooLarge."""
    try:
        return _require_count(_LINE.decode_lines(body))
    except (ValueError, RecursionError):
        return _require_count(
            _read_raw([line for line in _mark_lone_surrogates(body).split(b"\n") if line.strip()])
        )


def read_row(index: int, row: dict[str, Any]) -> ScanLine | Rejection:
    """Read one row of text fields. An empty field counts as absent."""
    values = {name: text for name, text in row.items() if text}
    try:
        return msgspec.convert(values, ScanLine, strict=False)
    except ValueError as error:
        return _refuse(index, error)


def _raw_items(body: bytes, wrapped: bool) -> list[msgspec.Raw]:
    body = _mark_lone_surrogates(body)
    try:
        if wrapped:
            envelope = _RAW_ENVELOPE.decode(body)
            body = bytes(envelope.get("scans", b"{}"))
            if "scans" in envelope and (errors := unknown_fields(envelope, ("scans",))):
                raise InvalidInput(errors=errors)
        return _RAW_LINES.decode(body)
    except msgspec.ValidationError:
        raise MalformedInput(_('Send a JSON array of scans, or {"scans": [...]}.')) from None
    except RecursionError:
        raise MalformedInput(_("The JSON is nested too deeply.")) from None
    except ValueError as error:
        raise _malformed(body, str(error)) from None


def _malformed(body: bytes, problem: str) -> MalformedInput:
    """Where a batch ends to be JSON; the decoder tells the byte, or that the text ended too early."""
    text = decoded(body)
    place = _BYTE.search(problem)
    before = body[: int(place[1])].decode("utf-8", "replace") if place else text
    return malformed_json(before, _BYTE.sub("", problem).removeprefix("JSON is malformed: "))


def _mark_lone_surrogates(body: bytes) -> bytes:
    """Mark lone surrogates, which JSON can escape but no text can contain.

    Only their line is rejected. Without the mark, the batch could not be split into lines.
    """
    if 0 < body.count(rb"\ud") + body.count(rb"\uD") <= _MOST_SURROGATES:
        return _SURROGATES.sub(lambda match: _LONE_SURROGATE if match[1] else match[0], body)
    return body


def _read_raw(items: Sequence[msgspec.Raw | bytes]) -> Sequence[ScanLine | Rejection]:
    # Count before reading line by line: a million bad lines need not be read.
    _require_count(items)
    return [_read_one(index, item) for index, item in enumerate(items)]


def _read_one(index: int, item: msgspec.Raw | bytes) -> ScanLine | Rejection:
    if _LONE_SURROGATE in bytes(item):
        return Rejection(index, f"/{index}", "invalid", _("This line contains half a surrogate pair."))
    try:
        return _LINE.decode(item)
    except (ValueError, RecursionError) as error:
        return _refuse(index, error)


def _require_count(lines: Sequence[T]) -> Sequence[T]:
    if not lines:
        raise InvalidInput(errors=[FieldError("", _("The batch contains no scans."), "empty")])
    if len(lines) > MAX_LINES:
        raise TooLarge(
            _("A batch can have at most %(most)d scans, not %(found)d.")
            % {"most": MAX_LINES, "found": len(lines)},
            code="too_many_scans",
        )
    return lines


def _refuse(index: int, error: Exception) -> Rejection:
    if not isinstance(error, msgspec.ValidationError):
        return Rejection(index, f"/{index}", "invalid", _("This line is not JSON in UTF-8."))
    match = _PATH.match(str(error))
    problem, path = (match["problem"], match["path"] or "") if match else (str(error), "")
    steps = [name or number for name, number in _STEP.findall(path)]
    code = "invalid"
    if missing := _MISSING.search(problem):
        steps.append(missing[1])
        detail = _("This field is required.")
    elif unknown := _UNKNOWN.search(problem):
        code, known = CODE, NamedScan if steps else ScanLine
        detail = unknown_field(unknown[1], known.__struct_fields__)
        steps.append(pointer_step(unknown[1]))
    else:
        detail = _sentence(problem, steps[-1] if steps else "")
    return Rejection(index, "/".join(["", str(index), *steps]), code, detail)


def _sentence(problem: str, field: str) -> str:
    """Say what the decoder found wrong as a person would."""
    if field == "occurred_at":
        return _("Enter date, time and UTC offset (RFC 3339), such as 2026-11-22T15:04:05+08:00.")
    if longest := _LONGEST.search(problem):
        return _("At most %(most)d characters.") % {"most": int(longest[1])}
    if not field:
        return _("Send an object with the fields.")
    if field == "consent":
        return _("Send true or false.")
    if field == "corrects":
        return _("Name the scan by its event id, or by its code, time and facility.")
    return _("Send text.")
