"""docs/policies.md, read from the database: every policy of row-level security, and which tables have it.

After `manage.py migrate`, `python -m tests.helpers.policies_page > docs/policies.md` writes the page.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from alliance.tenancy import SETTING, raw_rows

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"

INTRODUCTION = f"""# Policies

Written by `python -m tests.helpers.policies_page > docs/policies.md`; a test fails when it is out of date.

What row-level security lets each scope read and write, as the database itself says it. A statement sees the
rows for which the policy of its command holds, and no others. A table without a row below has no policy.
`row_policy` in `alliance/tenancy.py` makes the policies, in migrations.

`scope` stands for `NULLIF(current_setting('{SETTING}', true), '')`: `all` for workers and ops, otherwise
`merchant:<id>`, `courier:<id>`, `parcel:<id>`, `user:<id>` or `key:<prefix>`. `parcel:0` is no parcel's and
reads what tracking pages have in common, such as couriers' names. Casts to text are left out.
"""

COLUMNS = ("table", "policy", "command", "role", "USING", "WITH CHECK")

TABLES = """
    SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = current_schema()::regnamespace
    ORDER BY relname COLLATE "C"
"""

# The order of a statement's life: read, insert, update, delete.
POLICIES = """
    SELECT tablename, policyname, cmd, array_to_string(roles, ', '),
        coalesce(qual, ''), coalesce(with_check, '')
    FROM pg_policies WHERE schemaname = current_schema()
    ORDER BY tablename COLLATE "C",
        array_position(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'], cmd), policyname
"""

# A policy on a month would open it to a statement that names the month.
PARTITIONS = """
    SELECT parent.relname, bool_and(month.relrowsecurity AND month.relforcerowsecurity),
        count(*) FILTER (WHERE EXISTS (SELECT FROM pg_policy WHERE polrelid = month.oid))
    FROM pg_inherits
    JOIN pg_class month ON month.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
    WHERE month.relkind = 'r' AND parent.relnamespace = current_schema()::regnamespace
    GROUP BY parent.relname ORDER BY parent.relname COLLATE "C"
"""


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _expression(text: str) -> str:
    """An expression as the database prints it, shorter."""
    text = text.replace(f"NULLIF(current_setting('{SETTING}'::text, true), ''::text)", "scope")
    # A bar would end the cell, even between backticks.
    text = text.replace("::text", "").replace("|", r"\|")
    return f"`{text}`" if text else ""


def as_markdown() -> Iterator[str]:
    tables = raw_rows(TABLES)
    yield INTRODUCTION
    yield "## Tables\n"
    yield "Row-level security is on and forced, so that it binds every role without BYPASSRLS:\n"
    yield from (f"- `{name}`" for name, is_on, is_forced in tables if is_on and is_forced)
    yield "\nOn, but not forced:\n"
    yield from [f"- `{name}`" for name, is_on, is_forced in tables if is_on and not is_forced] or ["- none"]
    yield "\nOff, because no row belongs to a tenant:\n"
    yield from (f"- `{name}`" for name, is_on, _ in tables if not is_on)
    yield "\n## Months\n"
    yield "A month of a partitioned table has no policy of its own: it shows rows through its parent only.\n"
    yield _line("table", "forced on every month", "months with a policy")
    yield _line(*["---"] * 3)
    for name, is_forced, with_policies in raw_rows(PARTITIONS):
        yield _line(f"`{name}`", "yes" if is_forced else "no", str(with_policies))
    yield "\n## Policies\n"
    yield _line(*COLUMNS)
    yield _line(*["---"] * len(COLUMNS))
    for table, policy, command, role, using, check in raw_rows(POLICIES):
        yield _line(f"`{table}`", f"`{policy}`", command, role, _expression(using), _expression(check))


def page() -> str:
    return "\n".join(as_markdown()) + "\n"


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    django.setup()
    sys.stdout.write(page())
