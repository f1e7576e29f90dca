"""The order and the forms of letters that are written from right to left. Pure.

A PDF draws characters from left to right, each in one form. Arabic letters have up to four, by their
neighbours; the forms are characters of their own in Unicode, and its database says which is which.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Final

_FORMS_AT: Final = (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFD))
_TAGS: Final = {"<isolated>", "<final>", "<initial>", "<medial>"}
_LAM: Final = "\u0644"
_RIGHT: Final = {"R", "AL"}
_LEFT: Final = {"L", "EN", "AN"}


def drawn(text: str) -> str:
    """Return a text as its characters are drawn from left to right."""
    if text.isascii() or not any(unicodedata.bidirectional(character) in _RIGHT for character in text):
        return text
    sides = _sides(text)
    runs = [
        (side, "".join(character for _side, character in run))
        for side, run in groupby(zip(sides, _as_shaped(text), strict=True), key=lambda item: item[0])
    ]
    if sides[0] == "R":
        runs.reverse()
    return "".join(_reversed(run) if side == "R" else run for side, run in runs)


def plain_letters(character: str) -> str:
    """Return the letters that one form stands for, for who copies or searches the text."""
    return unicodedata.normalize("NFKC", character) if ord(character) in _FORMS_AT else character


def _sides(text: str) -> str:
    """For each character, whether it is written to the right (L) or to the left (R)."""
    kinds = [unicodedata.bidirectional(character) for character in text]
    strong = ["R" if kind in _RIGHT else "L" if kind in _LEFT else "" for kind in kinds]
    base = next(filter(None, strong), "L")
    sides: list[str] = []
    for place, side in enumerate(strong):
        before = sides[-1] if sides else base
        after = next(filter(None, strong[place:]), base)
        sides.append(side or (before if kinds[place] == "NSM" or before == after else base))
    return "".join(sides)


def _as_shaped(text: str) -> list[str]:
    """Each character in its form; nothing for an alef that was joined to the lam before it."""
    shaped = list(text)
    letters = [place for place, character in enumerate(text) if not unicodedata.combining(character)]
    joins = False
    skip = -1
    for index, place in enumerate(letters):
        if place == skip:
            shaped[place] = ""
            joins = False
            continue
        following = letters[index + 1] if index + 1 < len(letters) else None
        letter, after = text[place], "" if following is None else text[following]
        if letter == _LAM and letter + after in _forms():
            letter, after, skip = letter + after, "", following if following is not None else -1
        forms = _forms().get(letter, {})
        is_joined = joins and "<final>" in forms
        joins = "<initial>" in forms and "<final>" in _forms().get(after, {})
        tag = ("<medial>" if joins else "<final>") if is_joined else ("<initial>" if joins else "<isolated>")
        shaped[place] = forms.get(tag, text[place])
    return shaped


def _reversed(run: str) -> str:
    """A run from its end to its beginning; marks stay behind their letter, brackets are turned."""
    clusters: list[str] = []
    for character in run:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(_turned(character))
    return "".join(reversed(clusters))


def _turned(character: str) -> str:
    return character.translate(_PAIRS) if unicodedata.mirrored(character) else character


_PAIRS: Final = str.maketrans("()[]{}<>«»", ")(][}{><»«")


@cache
def _forms() -> dict[str, dict[str, str]]:
    """Letters, and lam with alef, with their forms."""
    forms: dict[str, dict[str, str]] = {}
    for character, tag, letters in _decompositions():
        if len(letters) == 1 or letters[0] == _LAM:
            forms.setdefault(letters, {}).setdefault(tag, character)
    return forms


def _decompositions() -> Iterator[tuple[str, str, str]]:
    for code in _FORMS_AT:
        tag, *codes = unicodedata.decomposition(chr(code)).split() or [""]
        letters = "".join(chr(int(code, 16)) for code in codes)
        if tag in _TAGS and (len(letters) == 1 or letters[1:] in _ALEFS):
            yield chr(code), tag, letters


_ALEFS: Final = frozenset("\u0622\u0623\u0625\u0627")
