"""Delete old files of offers: whole price lists should not lie about longer than somebody needs them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings

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
    with scope(Scope.everything()):
        files = OfferFile.objects.filter(finished_at__lt=now - KEPT, deleted_at__isnull=True)
        count = 0
        for file in files.iterator():
            for path in (results_path(file), rejected_path(file), Path(file.content.path)):
                path.unlink(missing_ok=True)
            OfferFile.objects.filter(pk=file.pk).update(deleted_at=now)
            count += 1
        _delete_orphans(now)
        return count


def _delete_orphans(now: datetime) -> None:
    root = Path(settings.MEDIA_ROOT)
    for path in (root / "offer_files").rglob("*"):
        if not path.is_file() or path.stat().st_mtime >= (now - ABANDONED).timestamp():
            continue
        name = str(path.relative_to(root))
        suffix = next((end for end in _SUFFIXES if name.endswith(end)), "")
        if not OfferFile.objects.filter(content=name.removesuffix(suffix), deleted_at__isnull=True).exists():
            path.unlink(missing_ok=True)
