"""What of a call is kept: which ones, under what id, and without what is about people."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from alliance.identifiers import EPOCH

# --- which calls -------------------------------------------------------------------------------------------

# Of a key's calls in a minute so many are kept; beyond that one in so many that succeed. All that fail are.
WHOLE_A_MINUTE: Final = 60
ONE_IN: Final = 20


def keeps_whole(status: int, calls_this_minute: int) -> bool:
    """Tell whether a call is kept anyway. Refusals for calling too often count with those that succeed."""
    return calls_this_minute <= WHOLE_A_MINUTE or (status >= 400 and status != 429)


# --- ids ---------------------------------------------------------------------------------------------------

# An id is the milliseconds since the epoch of all our ids, and so many random bits: in the order of time,
# and drawn by each process by itself. Of 2,000 rows a second, two are alike once in half an hour at most.
RANDOM_BITS: Final = 22


def id_at(moment: datetime, bits: int = 0) -> int:
    """Return the id of a call at a moment: without random bits, the least there is."""
    return ((moment - EPOCH) // timedelta(milliseconds=1) << RANDOM_BITS) + bits


def moment_of(call_id: int) -> datetime:
    return EPOCH + timedelta(milliseconds=call_id >> RANDOM_BITS)


def first_id(day: date) -> int:
    """Return the least id of a day (UTC)."""
    return id_at(datetime(day.year, day.month, day.day, tzinfo=UTC))


# --- what is kept of it ------------------------------------------------------------------------------------

MASKED: Final = "•••"
# Parameters that take codes, days and counts. The values of all others, as of searches, are masked.
PLAIN_PARAMETERS: Final = frozenset(
    (
        "booked_from", "booked_to", "city", "counterparty", "courier", "day", "days", "destination",
        "direction", "due_from", "due_to", "entry", "events_after", "format", "from", "from_city", "grain",
        "group", "has_return", "is_missed", "is_return", "kind", "limit", "merchant", "milestone", "month",
        "order", "organisation", "origin", "outcome", "page_size", "period", "scans_after", "since", "size",
        "sort", "state", "status", "tier", "to", "to_city", "topic", "type", "unmask", "until", "view",
    )
)  # fmt: skip
_PATH_LENGTH: Final = 300
_VALUE: Final = re.compile(r"[0-9A-Za-z_.:+,-]{0,60}")
_WORD: Final = re.compile(r"[0-9A-Za-z_.~-]{0,64}")
# A number as of a phone: also in a path, where somebody took it for a tracking number.
_PHONE: Final = re.compile(r"\+?(86)?1[3-9]\d{9}|\+?\d{10,12}")


def masked_path(path: str, query: str) -> str:
    """Return an address without what may be about a person."""
    words = [word if _is_plain(word, _WORD) else MASKED for word in path.split("/")]
    parameters = [
        f"{name if _is_plain(name, _WORD) else MASKED}="
        f"{value if name in PLAIN_PARAMETERS and _is_plain(value, _VALUE) else MASKED}"
        for name, value in parse_qsl(query[:2000], keep_blank_values=True)
    ]
    text = "/".join(words) + ("?" if parameters else "") + "&".join(parameters)
    return text if len(text) <= _PATH_LENGTH else f"{text[: _PATH_LENGTH - 1]}…"


def _is_plain(word: str, pattern: re.Pattern[str]) -> bool:
    return pattern.fullmatch(unquote(word)) is not None and _PHONE.fullmatch(word) is None


# What errors quote of the input, and numbers that may be somebody's.
_QUOTED: Final = re.compile(r"“[^”]*”|\"[^\"]*\"|'[^']*'|「[^」]*」|《[^》]*》")
_NUMBER: Final = re.compile(r"\d{7,}")
_MOST_ERRORS: Final = 50
_KEPT_MEMBERS: Final = ("type", "title", "status", "scope", "line", "column")
_PREFIX: Final = "urn:alliance:problem:"


def masked_problem(body: Any) -> tuple[str, dict[str, Any] | None]:
    """Return the code of a problem document, and the document without what was sent."""
    if not isinstance(body, dict) or not str(body.get("type", "")).startswith(_PREFIX):
        return "", None
    kept = {name: body[name] for name in _KEPT_MEMBERS if name in body}
    kept["detail"] = masked_text(body.get("detail"))
    errors = body.get("errors") or []
    if errors:
        kept["errors"] = [_masked_error(error) for error in errors[:_MOST_ERRORS]]
        if len(errors) > _MOST_ERRORS:
            kept["errors_left_out"] = len(errors) - _MOST_ERRORS
    return str(body["type"]).removeprefix(_PREFIX)[:60], kept


def _masked_error(error: dict[str, Any]) -> dict[str, str]:
    pointer = [word if len(word) <= 64 else MASKED for word in str(error.get("pointer", "")).split("/")]
    return {
        "pointer": "/".join(pointer)[:200],
        "code": str(error.get("code", ""))[:60],
        "detail": masked_text(error.get("detail")),
    }


def masked_text(text: object) -> str:
    """Return a sentence of ours without what it quotes of the input."""
    return _NUMBER.sub(MASKED, _QUOTED.sub(f"“{MASKED}”", str(text or "")))[:500]
