"""Delete old files of offers: whole price lists should not lie about longer than somebody needs them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from alliance.database.slices import for_each_slice
from alliance.stored_files import delete_unnamed
from alliance.tenancy import Scope, scope
from slas.offers.models import OfferFile
from slas.offers.services.offer_files import rejected_path, results_path

# As long as files of bookings.
KEPT: Final = timedelta(days=30)
# Files of transactions that were rolled back.
ABANDONED: Final = timedelta(days=1)
_SUFFIXES: Final = (".results.csv", ".rejected.csv")


def forget_offer_files(*, now: datetime) -> int:
    """Delete the files of uploads finished over 30 days ago, and files without a row. Returns the row count.

    The rows stay as a record of what was changed when. Files are deleted before the row is marked: if the
    task is interrupted in between, the next run deletes them again.
    """
    files = OfferFile.objects.filter(finished_at__lt=now - KEPT, deleted_at__isnull=True)
    count = for_each_slice(files, order="finished_at", do=partial(_forget, now=now))
    delete_unnamed("offer_files", before=now - ABANDONED, named=_kept)
    return count


def _kept(names: Sequence[str]) -> set[str]:
    contents = {name: name.removesuffix(next(filter(name.endswith, _SUFFIXES), "")) for name in names}
    files = OfferFile.objects.filter(content__in=contents.values(), deleted_at__isnull=True)
    with scope(Scope.everything()):
        kept = set(files.values_list("content", flat=True))
    return {name for name, content in contents.items() if content in kept}


def _forget(file: OfferFile, *, now: datetime) -> None:
    for path in (results_path(file), rejected_path(file), Path(file.content.path)):
        path.unlink(missing_ok=True)
    OfferFile.objects.filter(pk=file.pk).update(deleted_at=now)
