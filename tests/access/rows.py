"""Rows of the access table: a method of a route, and the response to each actor."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.access.rules import ACTORS, DESK, LOOK_UP, Answer, Rule


@dataclass(frozen=True)
class Row:
    """One method of one route. `path` names the things of the world that stand in its address."""

    route: str
    method: str
    rule: Rule
    own: Answer = 200
    rival: Answer | None = None
    ops: Answer | None = None
    path: tuple[str, ...] = ()
    query: str = ""
    data: dict[str, object] | list[object] | None = None
    # What differs from the rule for single actors, and why it does, in `note`.
    but: dict[str, Answer] = field(default_factory=dict)
    note: str = ""
    # Pages of the admin stop everybody but ops at one and the same gate: a sample knocks at each.
    everybody: bool | None = None

    @property
    def visitors(self) -> Iterable[str]:
        if self.everybody is None and self.route.startswith("admin:"):
            return ("anonymous", "courier_owner", "merchant_key", "staff", "stray", "service", "ops")
        return ACTORS

    @property
    def expected(self) -> dict[str, Answer]:
        words: dict[object, Answer] = {
            "own": self.own,
            "rival": self.own if self.rival is None else self.rival,
            "ops": self.own if self.ops is None else self.ops,
        }
        return {actor: words.get(answer, answer) for actor, answer in self.rule.answers.items()} | self.but  # type: ignore[misc]

    @property
    def name(self) -> str:
        return " ".join([self.method, self.route, *self.path]) + (f"?{self.query}" if self.query else "")


def get_and_post(route: str, rule: Rule, *, post: Answer, **fields: object) -> list[Row]:
    """A page with a form. An empty form is 422: let in, and told what is missing."""
    return [
        Row(route, "GET", rule, **fields),  # type: ignore[arg-type]
        Row(route, "POST", rule, **{**fields, "own": post}),  # type: ignore[arg-type]
    ]


def read_only(route: str, rule: Rule, **fields: object) -> list[Row]:
    """A page that changes nothing, and takes a POST for a GET."""
    return [Row(route, method, rule, **fields) for method in ("GET", "POST")]  # type: ignore[arg-type]


def pages_of_model(
    name: str,
    thing: str,
    rule: Rule = DESK,
    *,
    add: tuple[int, int] = (403, 403),
    change: int = 403,
    delete: tuple[int, int] = (403, 403),
    changers: Rule | None = None,
) -> list[Row]:
    """The admin's pages of one model: lists are for looking; what can be changed says so.

    The numbers are what GET and POST (of an empty form) answer to ops.
    """
    # Who may only look is refused by name where others are by what there is.
    changing = DESK if rule is LOOK_UP else rule
    return [
        Row(f"admin:{name}_changelist", "GET", rule, everybody=True),
        Row(f"admin:{name}_changelist", "POST", rule),
        Row(f"admin:{name}_add", "GET", changing, ops=add[0]),
        Row(f"admin:{name}_add", "POST", changing, ops=add[1]),
        Row(f"admin:{name}_change", "GET", rule, path=(thing,)),
        Row(f"admin:{name}_change", "POST", changers or rule, ops=change, path=(thing,)),
        *read_only(f"admin:{name}_history", rule, ops=302, path=(thing,)),
        Row(f"admin:{name}_delete", "GET", changing, ops=delete[0], path=(thing,)),
        Row(f"admin:{name}_delete", "POST", changing, ops=delete[1], path=(thing,)),
    ]
