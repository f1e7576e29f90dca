"""Create one of everything between two organisations of the access tests."""

from datetime import date, datetime, timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from alliance import audit
from alliance.call_log.rules import id_at
from alliance.choices import Role
from alliance.events import Topic
from alliance.members.services.actors import actor_of_organisation
from alliance.models import ApiCall, City, IdempotentRequest, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.homes.queries import homes_to_read
from parcels.booking_files.mappings import ColumnMapping
from parcels.booking_files.services.files import book_file, start_booking_file
from parcels.booking_files.services.templates import save_template
from parcels.bookings.services.booking import book_parcel
from parcels.bookings.services.writing import Booked
from parcels.choices import BooksOn, ReplayKind, ReturnReason, ReturnState, ShopKind, ShopOutcome
from parcels.dry_runs.services import Period, start_dry_run
from parcels.freight.models import FreightMonth, FreightStatement, FreightSum, Surcharge
from parcels.manifests.services.making import Wanted, make_manifest_of_numbers
from parcels.models import (
    Pickup,
    PickupAddress,
    RecipientProof,
    ReturnPolicy,
    ReturnRequest,
    ShopMessage,
    ShopOrder,
    WebhookHour,
)
from parcels.recipients.rules import Entry
from parcels.recipients.services.saving import save_recipient
from parcels.scan_files.services import receive_scan_file
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from parcels.shops.services.shops import ShopDraft, connect_shop
from parcels.watch_list.services import refresh_watch_list
from parcels.webhooks.rules import BINS
from parcels.webhooks.services.endpoints import Draft, create_endpoint, send_test
from parcels.webhooks.services.replaying import start_replay
from slas.allocation.models import AllocationRule
from slas.choices import CommitmentKind, ExcuseReason, RevisionParty, RuleAction
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.months import month_of
from slas.excuses.services.claims import Claim, claim_excuse
from slas.excuses.services.decisions import excuse_breach
from slas.exports.services.requests import ExportRequest, request_export
from slas.forecasts.services.folding import fold_progress
from slas.models import ClosedMonth, CreditCheck, CreditEntry, CreditSchedule, Statement
from slas.offers.services.offer_files import receive_offer_file
from slas.rates.services.folding import fold_tallies
from slas.revisions.services import RevisionRequest, revise_delivery
from tests.parcels.helpers import bookings, parcels
from tests.slas.helpers import offers

IMAGE = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)
BOOKINGS = (
    b"reference,tier,origin,destination,weight_g,recipient_name,recipient_phone,recipient_address\r\n"
    b"F-1,next_day,CN-HGH,CN-CTU,800,Li Lei,13812345678,Renmin Road 1\r\n"
    b"F-2,next_day,CN-HGH,CN-CTU,light,Li Lei,13812345678,Renmin Road 1\r\n"
)
OFFERS = b"tier,origin,destination,price,daily_capacity\r\nnext_day,CN-CTU,CN-HGH,12.50,5\r\nx,,,,\r\n"
SCANS = b"tracking_number,code,occurred_at\r\nCA1,picked_up,2026-11-22T10:05:00+08:00\r\n"


def owner(organisation: Organisation) -> Actor:
    return actor_of_organisation(organisation, kind="user", role=Role.OWNER, label="owner")


def trade(courier: Organisation, merchant: Organisation, *, ops: Actor) -> Booked:
    """Do one of everything between two organisations; return a parcel to look at, and to cancel.

    Another never came: overdue, two breaches, one excused. Needs the scope of everything.
    """
    now = timezone.now()
    hangzhou, chengdu = City.objects.get(code="CN-HGH"), City.objects.get(code="CN-CTU")
    offer = offers.offer(courier, hangzhou, chengdu, daily_capacity=1_000)
    booked_at = now - timedelta(hours=40)
    [lost, moved, kept, last] = parcels.booked_parcels(
        merchant, courier, booked_at=booked_at, count=4, homes=homes_to_read(courier.pk)
    )
    sweep_overdue(now=now)
    excuse_breach(actor=ops, parcel_id=lost.pk, kind=CommitmentKind.PICKUP, reason=ExcuseReason.values[0])
    evidence = SimpleUploadedFile("proof.png", IMAGE, "image/png")
    claim = Claim(lost.pk, CommitmentKind.DELIVERY, ExcuseReason.WEATHER, upload=evidence)
    claim_excuse(actor=owner(courier), claim=claim, now=now)
    scan = ScanLine(moved.number, "picked_up", moved.booked_at + timedelta(hours=1))
    delivered = ScanLine(kept.number, "delivered", booked_at + timedelta(hours=28))
    record_scans(actor=owner(courier), lines=[scan, delivered], now=now)
    fold_tallies()
    fold_progress()
    delivered = ScanLine(last.number, "delivered", booked_at + timedelta(hours=28))
    record_scans(actor=owner(courier), lines=[delivered], now=now)
    refresh_watch_list(now=now)
    request = bookings.request_for(hangzhou, chengdu, now, courier=offer.courier.organisation.public_id)
    booked = book_parcel(actor=owner(merchant), request=request, at=now)
    depot = PickupAddress.objects.create(
        merchant_id=merchant.pk, name="Depot", city=hangzhou, address="文三路 1 号"
    )
    entry = Entry.written(name="王小明", phone="138 0000 1101", city=chengdu, address="人民路 1 号")
    save_recipient(actor=owner(merchant), entry=entry, at=now)
    Pickup.objects.create(
        merchant_id=merchant.pk,
        courier_id=courier.pk,
        address=depot,
        day=now.date(),
        starts_at=now,
        ends_at=now + timedelta(hours=2),
        parcel_ids=[booked.parcel_id],
    )
    IdempotentRequest.objects.create(
        organisation=merchant, route="x", key="1", body_hash="", status=201, answer="{}"
    )
    ApiCall.objects.create(
        id=id_at(now, courier.pk), organisation_id=courier.pk, api_key_id=1, method="GET",
        path="/api/v1/offers", route="api/v1/offers", status=200, duration_ms=7, request_id="8a5ee1b0",
    )  # fmt: skip
    with scope(Scope.courier(courier.pk)):
        receive_scan_file(actor=owner(courier), upload=SimpleUploadedFile("scans.csv", SCANS, "text/csv"))
        receive_offer_file(actor=owner(courier), upload=SimpleUploadedFile("offers.csv", OFFERS, "text/csv"))
    _book_from_file(merchant)
    make_manifest_of_numbers(actor=owner(merchant), numbers=[booked.number], wanted=Wanted(), at=now)
    rule = AllocationRule.objects.create(merchant=merchant, position=1, name="Tried", action=RuleAction.STOP)
    start_dry_run(actor=owner(merchant), rule_ids=[rule.pk], period=Period.last_days(now.date()))
    audit.record(actor=owner(courier), verb="test.tried", object_type="test", object_id=1)
    _credit(courier, merchant, parcel_id=lost.pk)
    _request_exports(courier, merchant)
    _postpone(merchant, parcel_id=moved.pk)
    _ask_for_return(merchant, parcel_id=booked.parcel_id)
    for organisation in (courier, merchant):
        _listen(organisation, now)
    _connect_shop(merchant, now)
    return booked


def _connect_shop(merchant: Organisation, now: datetime) -> None:
    """A shop with an order that is rejected: it has no address."""
    draft = ShopDraft("Shop", ShopKind.SHOPIFY, BooksOn.PLACED, "", "secret of a shop", {"tier": "next_day"})
    shop, _made = connect_shop(actor=owner(merchant), draft=draft)
    order = ShopOrder.objects.create(merchant_id=merchant.pk, shop=shop, key="1")
    ShopMessage.objects.create(
        merchant_id=merchant.pk, shop=shop, delivery="1", topic="orders/create", received_at=now, body="{}",
        outcome=ShopOutcome.REJECTED, done_at=now, is_open=True, order=order, number="#1", reason="required",
    )  # fmt: skip


def _book_from_file(merchant: Organisation) -> None:
    """A file that is done with, one row of it rejected; one with unknown columns; and a template."""
    upload = SimpleUploadedFile("bookings.csv", BOOKINGS, "text/csv")
    with scope(Scope.merchant(merchant.pk)):
        file = start_booking_file(actor=owner(merchant), upload=upload)
        other = SimpleUploadedFile("orders.csv", b"who,where\na,b\n", "text/csv")
        start_booking_file(actor=owner(merchant), upload=other, may_name_columns=True)
        mapping = ColumnMapping((("who", "recipient_name"),))
        save_template(actor=owner(merchant), name="Orders", header=["who", "where"], mapping=mapping)
    book_file(file_id=file.pk)


def _request_exports(*organisations: Organisation) -> None:
    """A file asked for by each."""
    today = timezone.localdate()
    for organisation in organisations:
        export_request = ExportRequest("rates", "csv", today, today)
        request_export(actor=owner(organisation), request=export_request, now=timezone.now())


def _postpone(merchant: Organisation, *, parcel_id: int) -> None:
    """Another day agreed on, after somebody failed to prove being the recipient."""
    revision_request = RevisionRequest(
        timezone.localdate() + timedelta(days=3), RevisionParty.MERCHANT, "Sold out"
    )
    revise_delivery(actor=owner(merchant), parcel_id=parcel_id, asked=revision_request, now=timezone.now())
    RecipientProof.objects.create(parcel_id=parcel_id, merchant_id=merchant.pk, failed=1)


def _listen(organisation: Organisation, now: datetime) -> None:
    """A webhook with a message that arrived, and a replay."""
    actor = owner(organisation)
    draft = Draft("https://hooks.example.com/in", [Topic.PARCEL_STATUS_CHANGED], "Shop")
    hook, _secret = create_endpoint(actor=actor, draft=draft)
    send_test(actor=actor, code=hook.code)
    WebhookHour.objects.create(
        organisation_id=organisation.pk, endpoint=hook, hour=now, attempts=1, delivered=1, bins=[1] * BINS
    )
    start_replay(actor=actor, code=hook.code, kind=ReplayKind.MISSING, starts_at=now - timedelta(hours=1))


def _ask_for_return(merchant: Organisation, *, parcel_id: int) -> None:
    """What the merchant allows its recipients, and a request of one."""
    ReturnPolicy.objects.create(merchant_id=merchant.pk, is_allowed=True)
    ReturnRequest.objects.create(
        parcel_id=parcel_id, merchant_id=merchant.pk, state=ReturnState.REQUESTED, reason=ReturnReason.SIZE
    )


def _credit(courier: Organisation, merchant: Organisation, *, parcel_id: int) -> None:
    """An entry in an open month, one to work out, and the statements of a month long closed."""
    now = timezone.now()
    schedule = CreditSchedule.objects.earliest("pk")
    key = {"parcel_id": parcel_id, "kind": "delivery", "merchant_id": merchant.pk, "courier_id": courier.pk}
    CreditCheck.objects.create(**key)
    CreditEntry.objects.create(
        **key, tier_id=schedule.tier_id, schedule=schedule, amount_fen=200, cause="overdue", late_by=60,
        due_at=now, month=month_of(now),
    )  # fmt: skip
    closed, _made = ClosedMonth.objects.get_or_create(month=date(2020, 1, 1))
    for organisation in (courier, merchant):
        Statement.objects.create(organisation=organisation, month=closed.month, entries=0, total_fen=0)
    _freight(courier, merchant, tier_id=schedule.tier_id, closed=closed.month)


def _freight(courier: Organisation, merchant: Organisation, *, tier_id: int, closed: date) -> None:
    """A counted day and a surcharge of the open month, and a final month."""
    pair, today = {"merchant_id": merchant.pk, "courier_id": courier.pk}, timezone.localdate()
    counts = {"booked_count": 1, "fees_fen": 1_200, "cancelled_count": 0, "cancelled_fen": 0}
    month = month_of(timezone.now())
    FreightSum.objects.create(**pair, **counts, day=today, month=month, tier_id=tier_id)
    Surcharge.objects.create(**pair, month=month, amount_fen=100, reason="Remote area")
    FreightStatement.objects.create(**pair, **counts, month=closed, surcharges_fen=0, credits_fen=0)
    FreightMonth.objects.get_or_create(month=closed)
