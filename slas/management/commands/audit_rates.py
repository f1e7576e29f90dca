"""manage.py audit_rates: compare the on-time rates with the commitments."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alliance.tenancy import Actor, Scope, scope
from slas.audits.rates import MOST_ROWS, run_audit


class Command(BaseCommand):
    help = "Recompute the on-time rates from the commitments and report every difference; changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        with scope(Scope.everything()):
            report = run_audit(actor=Actor.system("manage.py audit_rates"))
        for difference in report.differences:
            self.stdout.write(str(difference))
        if report.is_clean:
            self.stdout.write("Rates, histograms, breaches and credits agree with the commitments.")
            return
        counts = {name: n for name, n in report.as_detail().items() if name != "first"}
        more = " or more" if MOST_ROWS in counts.values() else ""
        raise CommandError(f"{', '.join(f'{n} {name}' for name, n in counts.items())} differ{more}.")
