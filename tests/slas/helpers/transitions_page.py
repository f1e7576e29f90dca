"""docs/outcomes.md, drawn from the table of transitions.

python -m tests.slas.helpers.transitions_page > docs/outcomes.md
"""

import os
from pathlib import Path

from django.utils.translation import override

PAGE = Path(__file__).parents[3] / "docs" / "outcomes.md"
HEAD = """# Outcomes of a promise

Every promised milestone, a pickup or a delivery, has one outcome. It changes only as drawn here: picture and
table are made from `TRANSITIONS` in `slas/commitments/rules.py`, and a trigger (`commitment_transition`)
refuses every other change.

Overdue and late are breaches. A promise that is past due counts against the courier at once, also while
the parcel is still missing; a scan that arrives late and proves punctuality withdraws the breach, its
notice and its credit.
"""


def page() -> str:
    """The page as it should be; Django must be set up."""
    from slas.commitments.rules import TRANSITIONS  # noqa: PLC0415 -- needs Django

    with override("en"):
        rows = [(row.before.value, row.after.value, str(row.cause)) for row in TRANSITIONS]
    # A colon ends what Mermaid takes for a name.
    arrows = "\n".join(f"    {before} --> {after}: {why.replace(':', ',')}" for before, after, why in rows)
    lines = "\n".join(f"| {before} | {after} | {why} |" for before, after, why in rows)
    picture = f"```mermaid\nstateDiagram-v2\n    [*] --> pending: promised\n{arrows}\n    void --> [*]\n```"
    return f"{HEAD}\n{picture}\n\n| from | to | when |\n|---|---|---|\n{lines}\n"


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    django.setup()
    print(page(), end="")  # noqa: T201 -- what it is for
