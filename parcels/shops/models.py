"""Connected shops, what they sent, and what is known of their orders."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import User
from parcels.booking_files.models import BookingTemplate
from parcels.bookings.models import Merchant
from parcels.bookings.querysets import MerchantOwnedQuerySet
from parcels.choices import BooksOn, ShopKind, ShopOutcome, ShopReason, ShopState
from parcels.shops.querysets import MessageQuerySet
from parcels.shops.rules import KEY_LENGTH, NAME_LENGTH, PREFIX_LENGTH, new_key


class ConnectedShop(models.Model):
    """A merchant's shop whose orders become bookings by a template."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, db_index=False, related_name="+")
    # Of its address, at which the shop sends: a secret, though the signature is what counts.
    key = models.CharField(max_length=32, unique=True, default=new_key, editable=False)
    kind = models.CharField(max_length=12, choices=ShopKind)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    # Before the number of an order, in the parcel's reference: two shops may have the same numbers.
    prefix = models.CharField(_("prefix"), max_length=PREFIX_LENGTH, blank=True)
    books_on = models.CharField(_("books"), max_length=8, choices=BooksOn, default=BooksOn.PAID)
    # Encrypted, as those of webhooks are. Empty until the shop has said it: nothing is taken before.
    sealed = models.TextField(blank=True)
    # NULL once a merchant has removed it: orders are rejected until it has another one.
    template = models.ForeignKey(BookingTemplate, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(_("state"), max_length=8, choices=ShopState, default=ShopState.ACTIVE)
    # Of the texts that are kept with messages.
    language = models.CharField(max_length=12)
    connected_at = models.DateTimeField(_("connected"), default=timezone.now)
    connected_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("connected shop")
        verbose_name_plural = _("connected shops")
        ordering: ClassVar[list[str]] = ["name", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Its index also lists a merchant's shops.
            models.UniqueConstraint(fields=["merchant", "name"], name="connected_shop_name_unique"),
            models.CheckConstraint(name="connected_shop_kind_known", condition=Q(kind__in=ShopKind.values)),
            models.CheckConstraint(
                name="connected_shop_books_on_known", condition=Q(books_on__in=BooksOn.values)
            ),
            models.CheckConstraint(
                name="connected_shop_state_known", condition=Q(state__in=ShopState.values)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_paused(self) -> bool:
        return self.state == ShopState.PAUSED


class ShopOrder(models.Model):
    """What is known of one order of a shop, of which several messages tell; nothing of its recipient.

    Its row is locked while a message of it is taken.
    """

    merchant = models.ForeignKey(Merchant, models.PROTECT, db_index=False, related_name="+")
    shop = models.ForeignKey(ConnectedShop, models.CASCADE, db_index=False, related_name="+")
    # The shop's own id of it.
    key = models.CharField(max_length=KEY_LENGTH)
    # When it was as we know it, by the shop's clock.
    version = models.DateTimeField(null=True)
    is_cancelled = models.BooleanField(default=False)
    # The parcel it was booked as, unless that was cancelled with it. A table with a column `parcel_id` is by
    # parcel on a cluster; this one, and that of messages, is on the coordinator.
    parcel_id = models.BigIntegerField(null=True, db_column="booked_id")
    touched_at = models.DateTimeField(default=timezone.now)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("order of a shop")
        verbose_name_plural = _("orders of shops")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["shop", "key"], name="shop_order_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Each night those to forget.
            models.Index(fields=["touched_at"], name="shop_order_by_time"),
            # Whose messages name a recipient who is erased?
            models.Index(
                fields=["parcel_id"], name="shop_order_by_parcel", condition=Q(parcel_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.key


class ShopMessage(models.Model):
    """One webhook of a shop, as it came, until it is taken by a worker and for a week after that."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, db_index=False, related_name="+")
    shop = models.ForeignKey(ConnectedShop, models.CASCADE, db_index=False, related_name="+")
    # The shop's id of the message: one that is sent again has the same.
    delivery = models.CharField(max_length=KEY_LENGTH)
    topic = models.CharField(max_length=KEY_LENGTH)
    received_at = models.DateTimeField()
    body = models.TextField()
    outcome = models.CharField(max_length=9, choices=ShopOutcome, db_default=ShopOutcome.WAITING)
    # When a worker may take it; NULL once that is done.
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(db_default=0)
    done_at = models.DateTimeField(null=True)
    by_hand = models.BooleanField(db_default=False)
    # For a person to look at, until a later message of the order settles it.
    is_open = models.BooleanField(db_default=False)
    order = models.ForeignKey(ShopOrder, models.SET_NULL, null=True, db_index=False, related_name="+")
    number = models.CharField(max_length=KEY_LENGTH, db_default="")
    parcel_id = models.BigIntegerField(null=True, db_column="booked_id")
    # Codes, columns and text of why not: as in the results of booking files.
    reason = models.CharField(max_length=300, db_default="")
    columns = models.CharField(max_length=300, db_default="")
    detail = models.CharField(max_length=1000, db_default="")

    objects = models.Manager.from_queryset(MessageQuerySet)()

    class Meta:
        verbose_name = _("message of a shop")
        verbose_name_plural = _("messages of shops")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["shop", "delivery"], name="shop_message_once"),
            models.CheckConstraint(
                name="shop_message_outcome_known", condition=Q(outcome__in=ShopOutcome.values)
            ),
            models.CheckConstraint(
                name="shop_message_waits_or_is_done",
                condition=Q(outcome=ShopOutcome.WAITING, due_at__isnull=False, done_at__isnull=True)
                | Q(~Q(outcome=ShopOutcome.WAITING), due_at__isnull=True, done_at__isnull=False),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A shop's list, newest first.
            models.Index(fields=["shop", "-id"], name="shop_message_list"),
            # Workers and the sweeper look for those that wait.
            models.Index(
                fields=["shop", "due_at"], name="shop_message_due", condition=Q(outcome=ShopOutcome.WAITING)
            ),
            models.Index(fields=["order"], name="shop_message_by_order", condition=Q(order__isnull=False)),
            # How many are to be looked at?
            models.Index(fields=["shop"], name="shop_message_open", condition=Q(is_open=True)),
            # Each night those to forget.
            models.Index(
                fields=["done_at"], name="shop_message_done", condition=~Q(outcome=ShopOutcome.WAITING)
            ),
            # Whose are named there, when a recipient is erased?
            models.Index(fields=["merchant"], name="shop_message_by_merchant"),
        ]

    def __str__(self) -> str:
        return self.delivery

    @property
    def may_retry(self) -> bool:
        """Whether taking it again may end otherwise."""
        is_hopeful = self.is_open and self.outcome != ShopOutcome.TOO_LATE
        return bool(self.body) and (is_hopeful or self.reason == ShopReason.OLD)
