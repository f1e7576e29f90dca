"""System checks: refuse to start without effective row-level security, with no work shares, with a table that
has no place on a cluster, or a statement that asks a shard for what is not there."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections

from alliance.database import placements, shard_functions
from alliance.database.owner import is_owner
from alliance.database.stored_functions import STATEMENTS

# The database's owner, and whoever may become it, can switch policies off.
_ROLE = """
    SELECT rolname, rolsuper OR rolbypassrls, pg_has_role(current_user, datdba, 'MEMBER')
    FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
"""


@register(Tags.database)
def role_is_bound_by_policies(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Refuse a server's role that row-level security does not bind, or that could switch it off."""
    messages: list[CheckMessage] = []
    for alias in databases or []:
        if is_owner(using=alias) and connections[alias].settings_dict is not settings.DATABASES[alias]:
            # `migrate` checks before it works; this is about the role of everything else.
            continue
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute(_ROLE)
                name, is_exempt, owns = cursor.fetchone()
        except DatabaseError:
            # Without a connection nothing can be checked, and nothing can leak.
            continue
        if is_exempt or owns:
            problem = "is a superuser or bypasses row-level security" if is_exempt else "owns the database"
            messages.append(
                Error(
                    f"The database role {name!r} {problem}.",
                    hint="DATABASE_URL names an ordinary role that owns nothing, and OWNER_DATABASE_URL the"
                    " owner of the database (docs/deployment.md).",
                    id="alliance.E001",
                )
            )
    return messages


@register
def work_has_a_share(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse WORK_SHARES below 1: nothing would be swept or folded, without any error."""
    if settings.WORK_SHARES >= 1:
        return []
    message = f"WORK_SHARES is {settings.WORK_SHARES}: sweeps and folds would do nothing."
    return [Error(message, hint="Set it to 1 or more, or leave it out.", id="alliance.E002")]


@register
def tables_have_a_place(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a table of which nobody said where it is on a cluster, or that cannot be there."""
    tables = apps.get_models(include_auto_created=True)
    return [Error(problem, id="alliance.E003") for problem in placements.problems_of(tables)]


@register
def statements_fit_their_home(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a statement at home that no worker could run."""
    problems = (shard_functions.problem_of(statement) for statement in STATEMENTS if statement.at_home)
    return [Error(problem, id="alliance.E004") for problem in problems if problem]
