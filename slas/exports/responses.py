"""How an exported file is sent, by whichever door."""

from pathlib import Path

from django.http import FileResponse

from slas.choices import ExportFormat
from slas.exports.files import MEDIA_TYPES
from slas.exports.models import Export


def file_response(export: Export) -> FileResponse:
    """Return the answer that sends a file, for its owner's eyes and no cache's."""
    return FileResponse(
        export.file.open("rb"),
        as_attachment=True,
        filename=Path(str(export.file.name)).name,
        content_type=MEDIA_TYPES[ExportFormat(export.format)],
        headers={"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"},
    )
