"""`manage.py make_partitions`: create the partitions of the coming months."""

from typing import Any

from django.core.management.base import BaseCommand

from alliance.database import partitions


class Command(BaseCommand):
    help = "Make the coming months of the partitioned tables; may run any number of times. Beat does it too."

    def handle(self, *args: Any, **options: Any) -> None:
        count = partitions.ensure_months_ahead()
        self.stdout.write(f"{count} partitions made; {partitions.months_ahead()} months lie ahead.")
