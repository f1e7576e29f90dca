"""System checks: refuse to start without effective row-level security, or with no work shares."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections


@register(Tags.database)
def role_is_bound_by_policies(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Refuse a database role that row-level security does not bind."""
    messages: list[CheckMessage] = []
    for alias in databases or []:
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute(
                    "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
                )
                name, is_super, bypasses = cursor.fetchone()
        except DatabaseError:
            # Without a connection nothing can be checked, and nothing can leak.
            continue
        if is_super or bypasses:
            messages.append(
                Error(
                    f"The database role {name!r} is a superuser or bypasses row-level security.",
                    hint="Connect as an ordinary role that owns the database:"
                    " CREATE ROLE alliance LOGIN PASSWORD '...'; CREATE DATABASE alliance OWNER alliance;",
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
