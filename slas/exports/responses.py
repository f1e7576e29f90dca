"""The HTTP response with an exported file, for portal and API."""

from pathlib import Path

from django.http import FileResponse

from slas.choices import ExportFormat
from slas.exports.files import MEDIA_TYPES
from slas.exports.models import Export


def file_response(export: Export) -> FileResponse:
    """Return the response with a file, which no cache may store."""
    return FileResponse(
        export.file.open("rb"),
        as_attachment=True,
        filename=Path(str(export.file.name)).name,
        content_type=MEDIA_TYPES[ExportFormat(export.format)],
        headers={"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"},
    )
