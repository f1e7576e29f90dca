"""No trigger of credit entries asks for closed months: a shard of a cluster cannot.

lock_books() and open_month() hold the rule (slas/credits/services/entries.py).
"""

from importlib import import_module
from typing import ClassVar

from django.db import migrations

_functions = import_module("slas.migrations.0003_functions")
_FORWARD = [
    "DROP TRIGGER credit_entry_month_open ON slas_creditentry",
    "DROP FUNCTION slas_refuse_closed_month()",
]


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"ban-drop-function": "of a trigger only"}

    dependencies = [("slas", "0013_rates_of_couriers")]

    operations = [migrations.RunSQL(_FORWARD, _functions.CLOSED_MONTHS)]
