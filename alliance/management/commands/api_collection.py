"""Write the API's requests as an `.http` file or a Postman collection."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import get_language

from alliance.api.downloads import file_of


class Command(BaseCommand):
    help = "Write a request for each operation of the API, made from its schema."
    requires_system_checks: Any = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("form", choices=["http", "postman"], help="the kind of file")
        parser.add_argument("file", type=Path, help="where to write it")

    def handle(self, *, form: str, file: Path, **_options: Any) -> None:
        file.write_bytes(file_of(form, get_language()))
        self.stdout.write(f"{file} was written.")
