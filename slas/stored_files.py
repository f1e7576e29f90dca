"""The files that exemptions, exports and files of offers name."""

from collections.abc import Iterator
from pathlib import Path

from alliance.stored_files import Expected, FileKind
from slas.choices import ExportState
from slas.excuses.models import Excuse
from slas.exports.files import part_path
from slas.exports.models import Export
from slas.offers.models import OfferFile


def files_of_excuse(excuse: Excuse) -> Iterator[Expected]:
    yield Expected(str(excuse.evidence.name))


def files_of_export(export: Export) -> Iterator[Expected]:
    """The file when it is done, its parts before; whichever is about to be deleted may be there as well."""
    target = Path(str(export.file.name))
    is_done = export.state == ExportState.DONE
    is_gone = export.state == ExportState.EXPIRED
    yield Expected(str(target), is_needed=is_done, size=export.size)
    # The part after those that are counted: written, and not committed yet.
    for number in range(export.parts + 1):
        is_needed = not is_done and not is_gone and number < export.parts
        yield Expected(str(part_path(target, number)), is_needed=is_needed)


def files_of_offer_file(file: OfferFile) -> Iterator[Expected]:
    name = str(file.content.name)
    yield Expected(name)
    for suffix, size in ((".results.csv", file.results_size), (".rejected.csv", file.rejected_size)):
        yield Expected(name + suffix, is_needed=size > 0, size=size, may_be_longer=True)


STORED_FILES = {
    "slas.Excuse": FileKind("MEDIA_ROOT", lambda: Excuse.objects.exclude(evidence=""), files_of_excuse),
    "slas.Export": FileKind("MEDIA_ROOT", lambda: Export.objects.exclude(file=""), files_of_export),
    "slas.OfferFile": FileKind(
        "MEDIA_ROOT", lambda: OfferFile.objects.filter(deleted_at=None), files_of_offer_file
    ),
}
