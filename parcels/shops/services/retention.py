"""Forget what shops sent: it names recipients."""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import F, Func, Q, TextField, Value

from alliance.database.slices import delete_in_slices
from alliance.phones import national_numbers
from parcels.choices import ShopOutcome
from parcels.shops.models import ShopMessage, ShopOrder
from parcels.shops.rules import KEPT, KEPT_ORDER, KEPT_WAITING

_MARKS = " -().+"


def forget_shop_messages(*, now: datetime) -> int:
    """Delete messages that were taken a week ago or never, and old orders; return how many messages.

    May run twice, concurrently, or be killed.
    """
    done = ShopMessage.objects.exclude(outcome=ShopOutcome.WAITING).filter(done_at__lt=now - KEPT)
    count = delete_in_slices(done, order="done_at")
    waiting = ShopMessage.objects.filter(outcome=ShopOutcome.WAITING, received_at__lt=now - KEPT_WAITING)
    count += delete_in_slices(waiting, order="due_at")
    delete_in_slices(ShopOrder.objects.filter(touched_at__lt=now - KEPT_ORDER), order="touched_at")
    return count


def forget_recipient_at_shops(*, merchant_id: int, phone: str, parcel_ids: Iterable[int]) -> None:
    """Empty a merchant's messages that name a recipient: those of some parcels, and those with the phone.

    One that waits is left: it is needed, and what it books can be erased. Phones are compared by their
    digits, because people write them in many ways.
    """
    numbers = [number.lstrip("0") for number in national_numbers(phone)]
    numbers = list(filter(None, numbers or ["".join(filter(str.isdigit, phone))]))
    told = ShopMessage.objects.exclude(outcome=ShopOutcome.WAITING).filter(merchant_id=merchant_id)
    bare = Func(F("body"), Value(_MARKS), Value(""), function="translate", output_field=TextField())
    found = [Q(parcel_id__in=list(parcel_ids)), Q(order__parcel_id__in=list(parcel_ids))]
    found += [Q(bare__contains=number) for number in numbers]
    keys = list(told.annotate(bare=bare).filter(reduce(or_, found)).values_list("pk", flat=True))
    ShopMessage.objects.filter(pk__in=keys).update(body="", detail="")
