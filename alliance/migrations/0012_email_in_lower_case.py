"""E-mail addresses in lower case, as sign-up and commands have always stored them."""

from typing import ClassVar

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models.functions import Lower

NAME = "user_email_in_lower_case"


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"rows-in-migration": "none, but for a user made by hand in SQL"}
    # Rows are read while others write: nothing is locked but for the moment the constraint is added.
    atomic = False

    dependencies = [("alliance", "0011_acquaintances_by_key")]

    operations = [
        migrations.RunSQL(
            "UPDATE alliance_user SET email = lower(email) WHERE email <> lower(email)",
            migrations.RunSQL.noop,
        ),
        AddConstraintNotValid(
            model_name="user",
            constraint=models.CheckConstraint(name=NAME, condition=models.Q(email=Lower("email"))),
        ),
        ValidateConstraint(model_name="user", name=NAME),
    ]
