"""Read parcels as labels: what each says, as far as the reader may see it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.models import City, Organisation
from alliance.sandboxes import is_sandbox
from alliance.tenancy import Actor, require
from parcels.bookings.models import Parcel
from parcels.choices import LabelSize, ParcelStatus
from parcels.labels.rules import DEFAULT_SIZE, MOST_LABELS, Label, Place, shown, sort_code, without_phone
from parcels.private import private_of
from parcels.scans.timelines import zone_text
from parcels.tracking.queries import states_of
from parcels.tracking.state import ParcelState
from slas.listed import with_names

# A parcel's row, with its cities, tier and parties; or why it gets no label.
Asked = Parcel | AllianceError


def size_of(actor: Actor) -> LabelSize:
    """The size that the actor's organisation prints on."""
    if actor.organisation_id is None:
        return DEFAULT_SIZE
    sizes = Organisation.objects.filter(pk=actor.organisation_id).values_list("label_size", flat=True)
    return LabelSize(sizes.first() or DEFAULT_SIZE)


def asked_for(*, actor: Actor, numbers: Sequence[str]) -> list[Asked]:
    """Return for each number its parcel, or why it gets no label, in the order asked for.

    Raises NotPermitted, and InvalidInput for no number or more than MOST_LABELS.
    """
    require(actor, Capability.VIEW_PARCELS)
    if not 1 <= len(numbers) <= MOST_LABELS:
        message = _("Give 1 to %(most)d tracking numbers: these are %(count)d.") % {
            "most": MOST_LABELS,
            "count": len(numbers),
        }
        raise InvalidInput(errors=[FieldError("/tracking_numbers", message, "length")])
    ids = [_read(number) for number in numbers]
    wanted = {each for each in ids if isinstance(each, int)}
    rows = Parcel.objects.visible_to(actor).filter(pk__in=wanted)
    parcels = {parcel.pk: parcel for parcel in with_names(rows)}
    answers: list[Asked] = []
    first: dict[int, int] = {}
    for place, each in enumerate(ids):
        answers.append(
            _answer(each, parcels, first.setdefault(each, place) if isinstance(each, int) else None, place)
        )
    return answers


def labels_of(
    *,
    actor: Actor,
    parcels: Sequence[Parcel],
    now: datetime,
    unmasked: bool = False,
    reprinted: Collection[int] = (),
) -> list[Label]:
    """Write the labels of parcels that the actor sees; `reprinted` are those that had one before."""
    states = states_of(actor=actor, parcels=parcels, now=now, with_arrivals=False)
    return [_label(actor, parcel, states[parcel.pk], unmasked, parcel.pk in reprinted) for parcel in parcels]


def _read(number: str) -> int | NotFound:
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        return NotFound(str(error), code="unknown_tracking_number")


def _answer(read: int | NotFound, parcels: Mapping[int, Parcel], first: int | None, place: int) -> Asked:
    if isinstance(read, AllianceError):
        return read
    if (parcel := parcels.get(read)) is None:
        return NotFound(_("You have no parcel with this number."), code="unknown_tracking_number")
    if first != place:
        message = _("This number is in the list twice: its label is made once.")
        return Conflict(message, code="duplicate")
    return refusal_of(parcel) or parcel


def refusal_of(parcel: Parcel) -> AllianceError | None:
    """Why a parcel gets no label, if it gets none."""
    if parcel.status == ParcelStatus.CANCELLED:
        return Conflict(
            _("This parcel was cancelled, so it has no label. Book it again to send it."),
            code="parcel_cancelled",
        )
    return None


def _label(actor: Actor, parcel: Parcel, state: ParcelState, unmasked: bool, is_reprint: bool) -> Label:
    city, promise = parcel.destination, state.promise
    due = local_clock(promise.deliver_by if promise else parcel.deliver_by, city.time_zone)
    is_masked = private_of(actor, parcel, unmasked=unmasked).is_masked
    private = shown(
        name=parcel.recipient_name,
        phone=parcel.recipient_phone,
        address=parcel.recipient_address,
        reference=_reference(parcel, is_masked=is_masked),
        is_masked=is_masked,
    )
    return Label(
        number=parcel.number,
        address=settings.PUBLIC_URL.rstrip("/") + reverse("parcels:label_open", args=[parcel.number]),
        courier=parcel.courier.organisation.name,
        tier=parcel.tier.name,
        hour=date_text(due, "MOMENT_FORMAT"),
        zone=_("%(city)s time, %(zone)s") % {"city": city.name, "zone": zone_text(city.time_zone, due)},
        origin=_place(parcel.origin),
        destination=_place(city),
        recipient=private.recipient,
        phone=private.phone,
        recipient_address=private.address,
        sender=_sender(parcel, is_masked=is_masked),
        reference=private.reference,
        n=parcel.piece,
        m=parcel.pieces,
        is_reprint=is_reprint,
        is_return=parcel.return_of_id is not None,
        has_declared_value=parcel.declared_value_fen is not None,
        is_test=is_sandbox(parcel.merchant_id),
    )


def _reference(parcel: Parcel, *, is_masked: bool) -> str:
    """The merchant's reference; of a return, without the phone of whom it is collected from, too."""
    return without_phone(parcel.reference, parcel.sender_phone) if is_masked else parcel.reference


def _sender(parcel: Parcel, *, is_masked: bool) -> str:
    """Who sends it: the merchant; of a return, whom it is collected from, and the parcel that comes back."""
    if parcel.return_of_id is None:
        return parcel.merchant.organisation.name
    sender = shown(
        name=parcel.sender_name, phone=parcel.sender_phone, address="", reference="", is_masked=is_masked
    )
    return " · ".join(filter(None, [sender.recipient, tracking_number(parcel.return_of_id)]))


def _place(city: City) -> Place:
    """A city with the name that the reader does not read as well: couriers may read only that one."""
    other = city.name_en if translation.get_language() == "zh-hans" else city.name_zh
    return Place(sort_code(city.code), city.name, other if other != city.name else "")
