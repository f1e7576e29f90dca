"""Create a finished export of each format for the demo's two accounts."""

from datetime import date, timedelta

from django.utils import timezone

from alliance.tenancy import Actor, Scope, scope
from slas.choices import ExportContent, ExportFormat
from slas.exports.services.requests import ExportRequest, request_export
from slas.exports.services.writing import write_export

EXPORTS = ((ExportContent.COMMITMENTS, ExportFormat.CSV), (ExportContent.RATES, ExportFormat.PARQUET))


def write_some(actors: list[Actor], *, today: date) -> int:
    """Export the last 30 days for each actor; return the number of files."""
    first = today - timedelta(days=29)
    for actor in actors:
        for content, format in EXPORTS:
            with scope(Scope.of(actor)):
                # Not the demo's clock: a file expires a week from now.
                export = request_export(
                    actor=actor, request=ExportRequest(content, format, first, today), now=timezone.now()
                )
            write_export(export_id=export.pk)
    return len(actors) * len(EXPORTS)
