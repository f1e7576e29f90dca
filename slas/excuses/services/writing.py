"""Writing many excuses at once."""

from collections.abc import Sequence
from typing import Final

from alliance.tenancy import raw_rows
from slas.excuses.models import Excuse

# Rows per statement: statements with more parameters are slow.
_BATCH: Final = 2_000
_IDS: Final = "SELECT nextval('slas_excuse_id_seq') FROM generate_series(1, %s)"


def write_excuses(excuses: Sequence[Excuse]) -> None:
    """Insert excuses, and give them their ids.

    These are drawn before: a cluster returns what it inserts in the order of the workers' answers.
    """
    for excuse, (pk,) in zip(excuses, raw_rows(_IDS, [len(excuses)]), strict=True):
        excuse.pk = pk
    Excuse.objects.bulk_create(excuses, batch_size=_BATCH)
