from typing import Any

from django.contrib.staticfiles.management.commands import runserver

from alliance.demo_progress import require_private_demo


class Command(runserver.Command):
    """Django's development server, which serves the demo to this machine only."""

    addr: str

    def run(self, **options: Any) -> None:
        require_private_demo(self.addr)
        super().run(**options)
