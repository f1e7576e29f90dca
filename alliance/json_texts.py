"""JSON as it was sent: decoded to text, and where it is malformed."""

import codecs
from typing import Final

from django.utils.translation import gettext as _

from alliance.errors import MalformedInput

_UTF_8: Final = ("utf-8", "utf8")


def decoded(body: bytes, *, encoding: str = "utf-8") -> str:
    """The text of a body, without the byte order mark that some programs send. Raises MalformedInput."""
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(encoding, "replace")
        name = "UTF-8" if encoding.lower() in _UTF_8 else encoding
        raise malformed_json(before, _("this is not %(encoding)s") % {"encoding": name}) from None


def malformed_json(before: str, what: str) -> MalformedInput:
    """The refusal of a body that can be read up to a place; `line` and `column` are for programs."""
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    detail = _("Invalid JSON in line %(line)d, column %(column)d: %(what)s.")
    members = {"line": line, "column": column}
    return MalformedInput(detail % {**members, "what": what.rstrip(".")}, members=members)
