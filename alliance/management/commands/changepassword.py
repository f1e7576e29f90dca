from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandError
from django.db import transaction

from alliance import audit
from alliance.models import User
from alliance.tenancy import Actor, Scope, scope


class Command(changepassword.Command):
    """Django's command, with an entry in the audit. As every new password, it ends the user's log-ins."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        email = options["username"]
        if not email:
            raise CommandError("Name the account: manage.py changepassword somebody@example.org")
        # Together, so that no password is set without its entry.
        with transaction.atomic(), scope(Scope.everything()):
            told = super().handle(*args, **options)
            user = User.objects.get_by_natural_key(email)
            audit.record(
                actor=Actor.command_line(),
                verb="user.password_set",
                object_type="user",
                object_id=user.pk,
                detail={"email": user.email},
            )
        return told
