"""Templates whose only variable parts are texts: rendered once, with gaps that each reader's texts fill.

A page about one parcel differs from the next in a few texts, and in which of them there are. Django renders
such a template once for each shape, with marks in place of the texts; cut at the marks, it is a list of
pieces. A later page of that shape is these pieces with its own texts between them.

In such a template a text is only written (`{{ name }}`, also inside `blocktranslate`) or asked for
(`{% if name %}`). What it compares or passes to a filter belongs to the shape.
"""

import html
import re
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

Texts = Mapping[str, str | Sequence[str]]
Shape = Mapping[str, Hashable]
# Characters of private use, which escaping leaves as they are. Texts are put in after the marks were found.
_OPEN: Final = "\ue000"
_CLOSE: Final = "\ue001"
_MARK: Final = re.compile(f"{_OPEN}([a-z0-9_.]+){_CLOSE}")
# A whole page takes about ten kilobytes.
_REMEMBERED: Final = 512


def filled(template_name: str, texts: Texts, shape: Shape) -> SafeString:
    """Render a template with texts, and lists of texts; `shape` is whatever else it depends on.

    Beside these, the template may depend on the language alone.
    """
    given: list[tuple[str, int]] = []
    values: dict[str, str] = {}
    for name, text in texts.items():
        if not text:
            continue
        if isinstance(text, str):
            given.append((name, 0))
            values[name] = _escaped(text)
        else:
            given.append((name, len(text)))
            values.update((f"{name}.{place}", _escaped(item)) for place, item in enumerate(text))
    # In development, templates change while they are served.
    find = _pieces.__wrapped__ if settings.DEBUG else _pieces
    place = get_language(), get_script_prefix()
    pieces, gaps = find(template_name, place, tuple(given), tuple(shape.items()))
    page = [*pieces]
    page[1::2] = [values[gap] for gap in gaps]
    return mark_safe("".join(page))  # noqa: S308 -- the template's own text, and texts that were escaped


@lru_cache(maxsize=_REMEMBERED)
def _pieces(
    template_name: str,
    _place: tuple[str | None, str],
    given: tuple[tuple[str, int], ...],
    shape: tuple[tuple[str, Hashable], ...],
) -> tuple[Sequence[str], Sequence[str]]:
    """Return a template of one shape, every other piece a gap, and which text fills each gap."""
    marks = {
        name: [_mark(f"{name}.{place}") for place in range(count)] if count else _mark(name)
        for name, count in given
    }
    pieces = _MARK.split(render_to_string(template_name, {**dict(shape), **marks}))
    if any(_OPEN in piece or _CLOSE in piece for piece in pieces):
        raise ValueError(f"{template_name} changes a text that it may only write")
    return pieces, pieces[1::2]


def forget() -> None:
    _pieces.cache_clear()


def _escaped(text: str) -> str:
    # As Django's own, which also asks for values that are no texts: that takes most of a row.
    return text if isinstance(text, SafeString) else html.escape(text)


def _mark(name: str) -> str:
    return f"{_OPEN}{name}{_CLOSE}"
