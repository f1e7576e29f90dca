"""The demo's excuses: claims of couriers, decisions, and proposals for two storms."""

import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageDraw

from alliance.tenancy import Actor, Scope, scope
from parcels.demo.world import Seller
from slas.choices import CommitmentKind, Decision, DisruptionReason, ExcuseReason, ExcuseSource, ExcuseState
from slas.excuses.services.claims import Claim, claim_excuse, take_back_claim
from slas.excuses.services.decisions import decide_excuses
from slas.excuses.services.disruptions import Area, Cause, Period, declare_disruption, propose_excuses
from slas.models import Breach, Excuse

ZONE = ZoneInfo("Asia/Shanghai")
# Shares of a day's breaches that are claimed, withdrawn and so on, and the days until each step.
CLAIMED, WITHDRAWN, GRANTED, REVOKED, WITH_FILE = 0.1, 0.05, 0.62, 0.04, 0.3
CLAIMED_AFTER_DAYS, DECIDED_AFTER_DAYS = 2, 3
RAIN_DAYS_AGO, RAIN_HOURS = 4, 36
# Reasons couriers give, how often, and what they write.
REASONS = (
    (ExcuseReason.CONSIGNEE_ABSENT, 6, "Called twice, nobody was at home. 两次电话无人接听，家中无人。"),
    (ExcuseReason.CONSIGNEE_WRONG_ADDRESS, 4, "The building does not exist. 地址楼栋号不存在。"),
    (ExcuseReason.CONSIGNEE_RESCHEDULED, 3, "Asked by phone to come the next day. 收件人来电改约次日。"),
    (ExcuseReason.MERCHANT_NOT_READY, 4, "Goods were not packed at the agreed time. 约定时间货物未打包。"),
    (ExcuseReason.WEATHER, 2, "Heavy rain closed the ring road. 暴雨，环路封闭。"),
)
WHY_NOT = "The scans do not bear this out. 扫描记录不支持该理由。"
WHY_REVOKED = "The recipient says that nobody called. 收件人称未接到电话。"


def declare_storm(ops: Actor, province: str, storm: tuple[datetime, datetime]) -> Cause:
    """Declare the typhoon as force majeure the afternoon before."""
    with scope(Scope.everything()):
        disruption = declare_disruption(
            actor=ops, name="Typhoon 台风“海鸥”", reason=DisruptionReason.WEATHER,
            area=Area("CN", province), period=Period(*storm, recovery_hours=24),
            declared_at=storm[0] - timedelta(hours=9),
        )  # fmt: skip
        return Cause.of_disruption(disruption)


def excuse_storm(ops: Actor, cause: Cause, now: datetime) -> int:
    """Propose excuses for all breaches by the typhoon, and grant them at once; return how many."""
    note = "The province was closed by its government. 全省停工停运。"
    with scope(Scope.everything()):
        return propose_excuses(actor=ops, cause=cause, note=note, grant=True, now=now).granted


def propose_for_rain(ops: Actor, province: str, today: date) -> int:
    """Some days ago a rainstorm flooded a province's roads; what it touched still waits for decisions."""
    start = datetime.combine(today - timedelta(days=RAIN_DAYS_AGO), time(4), ZONE)
    with scope(Scope.everything()):
        disruption = declare_disruption(
            actor=ops, name="Rainstorm 特大暴雨", reason=DisruptionReason.DISASTER, area=Area("CN", province),
            period=Period(start, start + timedelta(hours=RAIN_HOURS)), declared_at=start + timedelta(hours=9),
        )  # fmt: skip
        now = start + timedelta(days=RAIN_DAYS_AGO - 1)
        return propose_excuses(actor=ops, cause=Cause.of_disruption(disruption), now=now).proposed


def argue(service: Actor, sellers: Sequence[Seller], day: date, now: datetime) -> int:
    """Simulate a day of excuses: couriers claim, withdraw some, and customer service decides.

    Uses its own random generator per day, so that nothing else in the demo depends on it.
    """
    random = Random(f"excuses of {day}")
    count = _claim(sellers, random, now)
    _decide(service, random, now)
    return count


def _claim(sellers: Sequence[Seller], random: Random, now: datetime) -> int:
    by_courier = {seller.actor.tenant_id: seller.actor for seller in sellers}
    with scope(Scope.everything()):
        # By then, late scans have arrived.
        last = now - timedelta(days=CLAIMED_AFTER_DAYS)
        breaches = Breach.objects.standing().filter(
            kind=CommitmentKind.DELIVERY, opened_at__gt=last - timedelta(days=1), opened_at__lte=last
        )
        rows = list(breaches.order_by("parcel_id").values_list("parcel_id", "courier_id"))
    count = 0
    for parcel_id, courier_id in rows:
        if random.random() >= CLAIMED:
            continue
        actor = by_courier[courier_id]
        [(reason, _weight, note)] = random.choices(REASONS, [weight for _reason, weight, _note in REASONS])
        upload = _picture() if random.random() < WITH_FILE else None
        claim = Claim(parcel_id, CommitmentKind.DELIVERY, reason, note, upload)
        with scope(Scope.of(actor)):
            if Excuse.objects.filter(parcel_id=parcel_id).exists():
                continue
            excuse = claim_excuse(actor=actor, claim=claim, now=now)
            if random.random() < WITHDRAWN:
                take_back_claim(actor=actor, excuse_id=excuse.pk, now=now + timedelta(minutes=20))
        count += 1
    return count


def _decide(service: Actor, random: Random, now: datetime) -> None:
    with scope(Scope.everything()):
        claims = Excuse.objects.filter(source=ExcuseSource.COURIER).order_by("pk")
        due = claims.filter(
            state=ExcuseState.CLAIMED, claimed_at__lte=now - timedelta(days=DECIDED_AFTER_DAYS)
        )
        keys_by_decision: dict[Decision, list[tuple[int, int]]] = {
            Decision.GRANT: [],
            Decision.DECLINE: [],
            Decision.REVOKE: [],
        }
        for key in due.values_list("parcel_id", "pk"):
            keys_by_decision[Decision.GRANT if random.random() < GRANTED else Decision.DECLINE].append(key)
        for key in claims.filter(state=ExcuseState.GRANTED).values_list("parcel_id", "pk")[:5]:
            if random.random() < REVOKED:
                keys_by_decision[Decision.REVOKE].append(key)
        notes = {Decision.GRANT: "", Decision.DECLINE: WHY_NOT, Decision.REVOKE: WHY_REVOKED}
        for decision, keys in keys_by_decision.items():
            if keys:
                decide_excuses(actor=service, keys=keys, decision=decision, note=notes[decision], now=now)


def _picture() -> SimpleUploadedFile:
    """A driver's photograph, as far as a demo has one."""
    page = Image.new("RGB", (640, 480), "#9fb4c0")
    draw = ImageDraw.Draw(page)
    draw.rectangle((210, 120, 430, 460), fill="#5a4632", outline="#2d2319", width=8)
    draw.ellipse((395, 290, 415, 310), fill="#d9b45b")
    draw.text((20, 20), "SPECIMEN", fill="#20303a", font_size=28)
    out = io.BytesIO()
    page.save(out, "PNG")
    return SimpleUploadedFile("door.png", out.getvalue(), "image/png")
