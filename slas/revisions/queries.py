"""What was promised before anything was revised."""

from collections.abc import Sequence
from datetime import datetime

from slas.commitments.models import Commitment
from slas.revisions.models import Revision


def first_promises(commitments: Sequence[Commitment]) -> dict[tuple[int, str], datetime]:
    """Return the due times before the first revision, by parcel and kind, of commitments that have any."""
    revised_ids = [row.parcel_id for row in commitments if row.revised_due_at is not None]
    if not revised_ids:
        return {}
    revisions = Revision.objects.filter(parcel_id__in=revised_ids).order_by("-pk")
    # The oldest comes last, and wins.
    return {(item.parcel_id, item.kind): item.previous_due_at for item in revisions}
