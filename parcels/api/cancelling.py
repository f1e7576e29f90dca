"""API of cancelling many parcels at once."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alliance.api.authentication import actor_of
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.errors import AllianceError
from alliance.tenancy import require
from parcels.api import answers, examples
from parcels.api import serializers as schema
from parcels.api.batches import NUMBERS_SCHEMA, parcel_id_of, read_numbers
from parcels.bookings.rules import BATCH_LIMIT
from parcels.bookings.services.cancelling import Cancelled, cancel_parcels


class ParcelBatchCancelView(ApiView):
    """Cancel up to a thousand parcels before their pickup."""

    @extend_schema(
        operation_id="parcels_cancel_batch",
        summary="Cancel many parcels",
        description=f"Up to {BATCH_LIMIT:,} tracking numbers: an array, or an object with the array in "
        "`tracking_numbers`. Each gets its own result, in order: one that is rejected, because it has moved "
        "or is not yours, does not stop the others. Cancelling again returns the same answer.",
        request=NUMBERS_SCHEMA,
        responses=schema.BatchCancelAnswer,
        examples=examples.CANCELLED_BATCH,
        tags=["booking"],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        require(actor, Capability.BOOK_PARCELS)
        items, base = read_numbers(request.data)
        read = [parcel_id_of(item, f"{base}/{index}") for index, item in enumerate(items)]
        ids = [parcel_id for parcel_id in read if isinstance(parcel_id, int)]
        results = iter(cancel_parcels(actor=actor, parcel_ids=ids, at=timezone.now()))
        outcomes: list[Cancelled | AllianceError] = [
            next(results) if isinstance(each, int) else each for each in read
        ]
        return Response(answers.batch_cancelled_json(items, outcomes))
