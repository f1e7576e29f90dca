"""manage.py audit_rates: are the on-time rates what the commitments say?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alliance.tenancy import Actor, Scope, scope
from slas.services.audits import MOST_ROWS, run_audit


class Command(BaseCommand):
    help = "Recompute the on-time rates from the commitments and report every difference; changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        with scope(Scope.everything()):
            report = run_audit(actor=Actor.system("manage.py audit_rates"))
        for difference in (*report.cells, *report.breaches):
            self.stdout.write(str(difference))
        if report.is_clean:
            self.stdout.write("The on-time rates and the breaches agree with the commitments.")
            return
        more = " or more" if MOST_ROWS in (len(report.cells), len(report.breaches)) else ""
        raise CommandError(f"{len(report.cells)} cells and {len(report.breaches)} breaches differ{more}.")
