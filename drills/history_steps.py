"""What is done with imported history on each side of the drill: `python -m drills.history_steps MOMENT`.

Prints one line for each thing that both sides have to say alike.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import django

BREACHES_EXCUSED: Final = 20
TASKS: Final = (
    *("sweep_overdue", "fold_tallies", "fold_progress", "work_out_credits", "check_grown_credits"),
    *("refresh_scorecards", "close_months", "fold_tallies", "refresh_scorecards", "audit_rates"),
)


def results(now: datetime) -> Iterator[str]:
    from django.db.models import Max, Min  # noqa: PLC0415 -- needs the settings
    from django.utils import timezone  # noqa: PLC0415

    from alliance.tenancy import Actor, Scope, scope  # noqa: PLC0415
    from parcels.models import Parcel  # noqa: PLC0415
    from parcels.tasks import trace_lost_parcels  # noqa: PLC0415
    from parcels.watch_list.services import refresh_watch_list  # noqa: PLC0415
    from slas import tasks  # noqa: PLC0415
    from slas.excuses.services.decisions import excuse_breaches  # noqa: PLC0415
    from slas.exports.models import Export  # noqa: PLC0415
    from slas.exports.reading import read_page  # noqa: PLC0415
    from slas.models import Breach  # noqa: PLC0415

    for name in TASKS:
        done = getattr(tasks, name)()
        # Tallies are grouped by shard, so there are more of them on a cluster.
        yield f"{name}: {'done' if name.startswith('fold') else done}"
    actor = Actor.system("drill")
    with scope(Scope.everything()):
        breaches = Breach.objects.order_by("parcel_id", "kind").values_list("parcel_id", "kind")
        excused = excuse_breaches(actor=actor, keys=[*breaches[:BREACHES_EXCUSED]], reason="weather")
        yield f"excuses: {excused}"
    tasks.fold_tallies()
    tasks.refresh_scorecards()
    trace_lost_parcels()
    tasks.fold_tallies()
    # Parcels leave the list with time, and one side is asked after the other.
    yield f"watch list: {refresh_watch_list(now=now).listed}"
    with scope(Scope.everything()):
        booked = Parcel.objects.aggregate(first=Min("booked_at"), last=Max("booked_at"))
        days = {name: timezone.localdate(moment) for name, moment in booked.items()}
        for content in ("commitments", "rates"):
            export = Export(content=content, format="csv", **days)
            lines, position = list[str](), None
            # A page of a month without rows has none, and a position all the same.
            while position is None or position:
                page = read_page(export, actor, position=position or "", limit=5_000)
                lines += map(repr, page.lines)
                position = page.position
            # Rates of one day come in the order of their ids, which each server draws for itself.
            digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
            yield f"export of {content}: {len(lines)} rows, {digest}"
    yield f"differences found by the audit at {timezone.localdate()}: {tasks.audit_rates()}"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    django.setup()
    for line in results(datetime.fromisoformat(sys.argv[1])):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
