"""The access table as a page for people who review it: docs/access.md."""

from collections.abc import Iterable, Iterator

from tests.access.rows import Row
from tests.access.rules import ACTORS, BROWSERS, COURIERS, KEYS, LOGIN, MERCHANTS, OPS, Answer, Rule
from tests.access.table import SECTIONS, TABLE

INTRODUCTION = """# Access

Written by `python -m tests.access.table > docs/access.md`; a test fails when it is out of date.

Every route of the product, every method it takes, and what each kind of actor is answered. The test
`tests/access/test_access.py` tries all of it, and fails for a route or a method that is missing here.
Methods not listed are answered with 405.

A rule sorts the actors: **own** are allowed, and what they ask for is theirs; **rival** are allowed such
things as well, but this one is somebody else's; **ops** see everything. All others get what stands under
*refused*; `log-in` is being led to the log-in page. A form that is sent empty answers 422: let in, and told
what is missing. Of the admin's pages, which share one gate, only some are tried by everybody.
"""


# Said in a word where all of them are meant; the largest first.
GROUPS = {
    "everybody": set(ACTORS),
    "everybody logged in": BROWSERS,
    "everybody logged in but ops": BROWSERS - OPS,
    "every key": KEYS,
    "courier A": set(COURIERS.split()),
    "merchant A": set(MERCHANTS.split()),
}


def _actor_names(actors: Iterable[str]) -> str:
    remaining, words = list(actors), []
    for word, group in GROUPS.items():
        if group <= set(remaining):
            words.append(f"*{word}*")
            remaining = [actor for actor in remaining if actor not in group]
    return ", ".join([*words, *(f"`{actor}`" for actor in remaining)]) or "–"


def _line(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _rule_line(rule: Rule) -> str:
    def who(*answers: object) -> list[str]:
        return [actor for actor in ACTORS if rule.answers[actor] in answers]

    refusals = [answer for answer in (LOGIN, 302, 401, 403, 404) if who(answer)]
    refusal_text = "; ".join(f"**{answer}** {_actor_names(who(answer))}" for answer in refusals)
    return _line(
        f"**{rule.name}**",
        rule.about,
        _actor_names(who("own")),
        _actor_names(who("rival")),
        refusal_text or "–",
    )


def _row_line(row: Row) -> str:
    words = set(row.rule.answers.values())
    own = row.own if "own" in words else ""
    rival = (row.own if row.rival is None else row.rival) if "rival" in words else ""
    ops = (row.own if row.ops is None else row.ops) if "ops" in words else ""
    by_answer: dict[Answer, list[str]] = {}
    for actor, answer in row.but.items():
        by_answer.setdefault(answer, []).append(actor)
    but = "; ".join(
        f"**{answer}** {_actor_names(sorted(who, key=list(ACTORS).index))}"
        for answer, who in by_answer.items()
    )
    route = " ".join([f"`{row.route}`", *row.path]) + (f" ?{row.query}" if row.query else "")
    remark = ". ".join(part for part in (but, row.note) if part)
    return _line(route, row.method, row.rule.name, own, rival, ops, remark)


def as_markdown() -> Iterator[str]:
    """The table for people who review it."""
    yield INTRODUCTION
    yield "## Actors\n"
    yield _line("actor", "who it is")
    yield _line("---", "---")
    yield from (_line(f"`{name}`", about) for name, about in ACTORS.items())
    yield "\n## Rules\n"
    yield _line("rule", "for", "own", "rival", "refused")
    yield _line(*["---"] * 5)
    yield from (_rule_line(rule) for rule in {row.rule.name: row.rule for row in TABLE}.values())
    for title, rows in SECTIONS.items():
        yield f"\n## {title}\n"
        yield _line("route", "method", "rule", "own", "rival", "ops", "but")
        yield _line(*["---"] * 7)
        yield from (_row_line(row) for row in rows)
