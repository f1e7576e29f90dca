"""`manage.py load_cities`: fill the city table from the data packages. May run any number of times."""

from typing import Any

from django.core.management.base import BaseCommand

from alliance.cities import load_cities
from alliance.models import City


class Command(BaseCommand):
    help = "Load China's cities and the world's larger ones from the data packages; may run again."

    def handle(self, *args: Any, **options: Any) -> None:
        before = City.objects.count()
        count = load_cities()
        new = City.objects.count() - before
        chinese = City.objects.filter(country="CN").count()
        self.stdout.write(
            f"{count:,} cities, {chinese:,} of them in China: {new:,} new, {count - new:,} updated."
        )
