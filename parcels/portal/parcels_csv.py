"""The filtered list as streamed CSV: each page is read in a separate transaction and scope."""

import csv
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import QueryDict, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import get_language, override
from django.views.decorators.http import require_GET

from alliance import audit
from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.csv_cells import safe_cell
from alliance.csv_files.headers import header
from alliance.errors import FieldError, InvalidInput
from alliance.identifiers import tracking_number
from alliance.tenancy import Actor, Scope, in_index_order, require, scope
from alliance.web.answers import begun
from alliance.web.requests import ActorRequest
from couriers.homes.lists import at_homes
from parcels.lists.filters import ParcelFilter
from parcels.models import Parcel
from parcels.private import Private, private_of
from parcels.tracking.queries import states_of
from parcels.tracking.state import ParcelState, PromiseState
from slas.listed import with_names
from slas.promises.prices import CURRENCY, yuan

BATCH = 1_000
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Line:
    """The data of one parcel's line."""

    parcel: Parcel
    state: ParcelState
    private: Private

    @property
    def promise(self) -> PromiseState | None:
        return self.state.promise


# Documented in docs/csv-export.md; a test compares the two.
COLUMNS: dict[str, Callable[[Line], object]] = {
    "tracking_number": lambda line: line.parcel.number,
    "reference": lambda line: line.parcel.reference,
    "piece": lambda line: line.parcel.piece,
    "piece_count": lambda line: line.parcel.pieces,
    "order": lambda line: _number(line.parcel.order_id),
    "status": lambda line: line.parcel.status,
    "status_at": lambda line: _there(line, line.parcel.status_at),
    "tier": lambda line: line.parcel.tier.code,
    "merchant": lambda line: line.parcel.merchant.organisation.public_id,
    "merchant_name": lambda line: line.parcel.merchant.organisation.name,
    "courier": lambda line: line.parcel.courier.organisation.public_id,
    "courier_name": lambda line: line.parcel.courier.organisation.name,
    "origin": lambda line: line.parcel.origin.code,
    "origin_name": lambda line: line.parcel.origin.name,
    "destination": lambda line: line.parcel.destination.code,
    "destination_name": lambda line: line.parcel.destination.name,
    "recipient_name": lambda line: line.private.recipient.name,
    "recipient_phone": lambda line: line.private.recipient.phone,
    "recipient_address": lambda line: line.private.recipient.address,
    "weight_g": lambda line: line.parcel.weight_g,
    "price": lambda line: "" if line.private.fee_fen is None else yuan(line.private.fee_fen),
    "declared_value": lambda line: _declared(line.parcel.declared_value_fen),
    "currency": lambda line: "" if line.private.fee_fen is None else CURRENCY,
    "booked_at": lambda line: _here(line, line.parcel.booked_at),
    "pickup_by": lambda line: _here(line, line.parcel.pickup_by),
    "promise_current": lambda line: _there(line, line.promise.deliver_by if line.promise else None),
    "promise_original": lambda line: _there(line, line.promise.original if line.promise else None),
    "moved_by": lambda line: line.promise and line.promise.moved_by,
    "delivered_at": lambda line: _there(line, line.parcel.delivered_at),
    "cancelled_at": lambda line: _here(line, line.parcel.cancelled_at),
    "outcome": lambda line: line.state.outcome or "",
    "late_by_seconds": lambda line: (
        int(line.promise.late_by.total_seconds()) if line.promise and line.promise.late_by else ""
    ),
    "lost_at": lambda line: _there(line, line.state.loss.since if line.state.loss else None),
    "return_of": lambda line: _number(line.parcel.return_of_id),
    "returned_by": lambda line: _number(line.parcel.returned_by_id),
    "return_cancelled_at": lambda line: _there(line, line.parcel.return_cancelled_at),
}


@require_GET
@login_required
def parcel_export(request: ActorRequest) -> StreamingHttpResponse:
    """Send the filtered list as a file. The download is audited, with whether it was unmasked."""
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    require(actor, Capability.EXPORT)
    filters = ParcelFilter(request.GET, queryset=Parcel.objects.all())
    if not filters.form.is_valid():
        raise InvalidInput(errors=[_problem(name, errors[0]) for name, errors in filters.form.errors.items()])
    audit.record(
        actor=actor,
        verb="parcels.exported",
        object_type="parcel",
        object_id="",
        detail={"filters": dict(request.GET.lists()), "unmasked": _unmasks(actor)},
    )
    name = f"parcels-{timezone.localtime():%Y%m%d-%H%M}.csv"
    return StreamingHttpResponse(
        begun(_encoded(actor, request.GET)),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def _declared(fen: int | None) -> str:
    return "" if fen is None else yuan(fen)


def _problem(name: str, message: object) -> FieldError:
    return FieldError(f"/{name}", str(message))


class _Echo:
    """A file object that returns each written line."""

    def write(self, line: str) -> str:
        return line


def _encoded(actor: Actor, query: QueryDict) -> Iterator[bytes]:
    """Yield the lines. Runs after the view has returned, so it sets language and scope itself."""
    language = get_language()
    writer = csv.writer(_Echo())
    text = _BYTE_ORDER_MARK + writer.writerow(header(COLUMNS))
    last: int | None = None
    while True:
        with override(language), scope(Scope.of(actor)):
            lines = _lines(actor, query, older_than=last)
            rows = [[_cell(make(line)) for make in COLUMNS.values()] for line in lines]
        text += "".join(writer.writerow(row) for row in rows)
        if text:
            yield text.encode()
        text = ""
        if len(rows) < BATCH:
            return
        last = lines[-1].parcel.pk


def _lines(actor: Actor, query: QueryDict, *, older_than: int | None) -> list[Line]:
    parcels = Parcel.objects.visible_to(actor)
    if older_than is not None:
        parcels = parcels.filter(pk__lt=older_than)
    filters = ParcelFilter(query, queryset=parcels, all_organisations=actor.is_ops)
    with nullcontext() if filters.is_few else in_index_order():
        parcels_of_page = list(at_homes(filters.qs.order_by("-pk"), most=BATCH)[:BATCH])
    page = with_names(parcels_of_page)
    states = states_of(actor=actor, parcels=page, now=timezone.now(), with_arrivals=False)
    unmasked = _unmasks(actor)
    return [Line(parcel, states[parcel.pk], private_of(actor, parcel, unmasked=unmasked)) for parcel in page]


def _unmasks(actor: Actor) -> bool:
    # Lists are masked for couriers: their members unmask one recipient at a time.
    return actor.can(Capability.UNMASK) and not actor.is_courier


def _cell(value: object) -> str:
    return "" if value is None else safe_cell(str(value))


def _number(parcel_id: int | None) -> str:
    return "" if parcel_id is None else tracking_number(parcel_id)


def _here(line: Line, moment: datetime | None) -> str:
    return "" if moment is None else local_clock(moment, line.parcel.origin.time_zone).isoformat()


def _there(line: Line, moment: datetime | None) -> str:
    return "" if moment is None else local_clock(moment, line.parcel.destination.time_zone).isoformat()
