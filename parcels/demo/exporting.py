"""A finished file of each format for the demo's two log-ins."""

from datetime import date, timedelta

from django.utils import timezone

from alliance.tenancy import Actor, Scope, scope
from slas.choices import ExportContent, ExportFormat
from slas.exports.services.requests import ExportRequest, request_export
from slas.exports.services.writing import write_export

WANTED = ((ExportContent.COMMITMENTS, ExportFormat.CSV), (ExportContent.RATES, ExportFormat.PARQUET))


def write_some(actors: list[Actor], *, today: date) -> int:
    """Have each take its last 30 days; return how many files there are."""
    first = today - timedelta(days=29)
    for actor in actors:
        for content, format in WANTED:
            with scope(Scope.of(actor)):
                # Not the demo's clock: a file is kept for a week from now.
                export = request_export(
                    actor=actor, request=ExportRequest(content, format, first, today), now=timezone.now()
                )
            write_export(export_id=export.pk)
    return len(actors) * len(WANTED)
