"""The world the doors are tried in: one of everything, belonging to courier A and merchant A.

Built once for a module of tests, in a transaction that is never committed; every case runs in a
savepoint of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.test.client import ClientHandler
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from alliance.api.throttling import forget as forget_calls
from alliance.capabilities import KEY_SCOPES
from alliance.choices import Capability, OrganisationStatus, Role
from alliance.database.cluster import is_distributed
from alliance.health import note_heartbeat
from alliance.members.services.actors import actor_of_user
from alliance.members.services.api_keys import create_api_key
from alliance.members.services.api_keys import revoke_api_key as revoke
from alliance.members.services.invitations import invite_member, token_of
from alliance.members.services.organisations import create_organisation
from alliance.models import (
    ApiCall,
    ApiKey,
    AuditEntry,
    City,
    Event,
    Heartbeat,
    Member,
    Organisation,
    RetiredMonth,
    User,
)
from alliance.saved_views.services import save_view
from alliance.tenancy import Actor, Scope, raw_rows, scope
from alliance.web import sessions
from couriers.applications.services import applications, reviews
from couriers.changes.services import propose_change
from couriers.choices import DocumentKind, FacilityKind, Step
from couriers.documents import services as documents
from couriers.models import Application, CourierHome, Facility
from parcels.models import (
    BookingFile,
    BookingTemplate,
    ConnectedShop,
    DryRun,
    FreightStatement,
    Manifest,
    ParcelStory,
    Pickup,
    PickupAddress,
    ReturnPolicy,
    ReturnRequest,
    SavedRecipient,
    ScanFile,
    ShopMessage,
    Surcharge,
    WebhookDelivery,
    WebhookEndpoint,
)
from slas.credits.months import month_of, spell
from slas.credits.services.sums import add_entries
from slas.models import (
    AllocationRule,
    BreachListing,
    CapacityDay,
    ClosedMonth,
    Closure,
    CommitmentListing,
    CreditEntry,
    CreditSchedule,
    Disruption,
    Excuse,
    Export,
    Offer,
    OfferFile,
    OnTimeRate,
    Revision,
    Scorecard,
    ScoreRules,
    ServiceTier,
    Statement,
    TierVersion,
    WatchItem,
)
from slas.scorecards.services.scorecards import refresh_scorecards
from slas.scorecards.services.versions import RulesDraft, add_rules, first_month_open
from tests import factories
from tests.access.trade import IMAGE, owner, trade
from tests.slas.helpers.excuses import service_user

COMPANY: dict[str, Any] = {
    "legal_name": "杭州飞燕速递有限公司",
    "credit_code": "91330100799655058B",
    "permit_number": "浙邮20240123A",
    "founded_on": date(2012, 5, 8),
    "fleet_size": 120,
    "daily_capacity": 25_000,
}
CONTACT = {
    "contact_name": "陈晓燕",
    "contact_phone": "0571-8502 2088",
    "contact_email": "chen@feiyan.example",
}


@dataclass
class World:
    """The actors, and the URL arguments of the objects."""

    sessions: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    things: dict[str, str] = field(default_factory=dict)
    handler: ClientHandler = field(default_factory=lambda: ClientHandler(enforce_csrf_checks=False))

    def client(self, actor: str) -> Client:
        """Somebody at a browser, or a program with a key; "anonymous" is neither."""
        client = Client(raise_request_exception=False)
        # One for all: each would load the middleware anew.
        client.handler = self.handler
        if actor in self.sessions:
            client.cookies["sessionid"] = self.sessions[actor]
        if actor in self.tokens:
            client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self.tokens[actor]}"
        return client


@contextmanager
def savepoint() -> Iterator[None]:
    """Roll back the effects of a case in the database and in the cache (counted calls, sessions)."""
    # A slow run takes longer than a session's use goes unnoted, and a call that is refused may not write it.
    with transaction.atomic(), mock.patch.object(sessions, "NOTED_EVERY", timedelta(days=1)):
        cache.clear()
        forget_calls()
        yield
        transaction.set_rollback(True)


def settings(media: Path) -> dict[str, Any]:
    """What the world is built and tried under."""
    return {
        "MEDIA_ROOT": str(media),
        # In the database alone: a savepoint undoes them.
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }


def build() -> World:
    """Make the world. Needs an open transaction, and the settings above."""
    world = World()
    _Builder(world).run()
    return world


class _Builder:
    def __init__(self, world: World) -> None:
        self.world = world
        self.hangzhou = City.objects.get(code="CN-HGH")
        self.chengdu = City.objects.get(code="CN-CTU")

    def run(self) -> None:
        self._ops()
        self._courier_a()
        self._others()
        self._merchants()
        self._keys()
        with scope(Scope.everything()):
            if is_distributed():
                # Rules are written after parcels were read, and in one transaction.
                raw_rows("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
            self._parcels()
            self._records()

    # --- people ---

    def _log_in(self, name: str, user: User) -> User:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        self.world.sessions[name] = client.cookies["sessionid"].value
        return user

    def _user(self, name: str, **extra: Any) -> User:
        return self._log_in(name, factories.user(f"{name}@alliance.example", **extra))

    def _members(self, side: str, organisation: Organisation, roles: list[Role]) -> None:
        for role in roles:
            name = f"{side}_{role.value}"
            member = factories.member_user(f"{name}@alliance.example", organisation, role)
            self._log_in(name, member)

    def _ops(self) -> None:
        self.ops = actor_of_user(self._user("ops", is_staff=True, is_superuser=True))
        self._log_in("staff", factories.staff_user("staff@alliance.example"))
        self._user("stray", is_staff=True)
        self._log_in("service", service_user())
        self._user("newcomer")

    def _courier_a(self) -> None:
        """A courier as it becomes one: enrolled, approved, then joined by colleagues."""
        owner = self._user("courier_owner")
        with scope(Scope.everything()):
            self.courier = create_organisation(
                actor=actor_of_user(owner), kind="courier", name="Swift Express"
            )
        applicant = actor_of_user(owner)
        application, document = self._application(applicant, COMPANY)
        self.world.things |= {"application": str(application.pk), "document": str(document)}
        with scope(Scope.of(applicant)):
            applications.submit_application(actor=applicant, application_id=application.pk)
        with scope(Scope.everything()):
            reviews.approve_application(actor=self.ops, application_id=application.pk)
            self.courier.refresh_from_db()
        self._members("courier", self.courier, [Role.MANAGER, Role.AGENT, Role.FINANCE, Role.VIEWER])
        self._invitation(actor_of_user(owner))
        self._change(actor_of_user(owner))
        self._view(actor_of_user(owner))

    def _view(self, owner: Actor) -> None:
        with scope(Scope.of(owner)):
            view = save_view(actor=owner, listing="parcels", name="Late ones", query="late=true")
        self.world.things["saved_view"] = str(view.pk)

    def _change(self, owner: Actor) -> None:
        with scope(Scope.of(owner)):
            change = propose_change(actor=owner, values={"permit_number": "浙邮20260123B"})
        self.world.things["change"] = str(change.pk)

    def _invitation(self, owner: Actor) -> None:
        with scope(Scope.of(owner)):
            invitation = invite_member(actor=owner, email="newcomer@alliance.example", role=Role.AGENT)
        self.world.things |= {"invitation": str(invitation.pk), "invitation_token": token_of(invitation)}

    def _application(self, actor: Actor, company: dict[str, Any]) -> tuple[Application, int]:
        with scope(Scope.of(actor)):
            application = applications.start_application(actor=actor)
            target: dict[str, Any] = {"actor": actor, "application_id": application.pk}
            applications.save_application_step(**target, step=Step.COMPANY, values=company)
            applications.save_application_step(**target, step=Step.CONTACT, values=CONTACT)
            applications.add_service_cities(**target, city_ids=[self.hangzhou.pk])
            for kind in (DocumentKind.BUSINESS_LICENCE, DocumentKind.EXPRESS_PERMIT):
                upload = SimpleUploadedFile(f"{kind}.png", IMAGE, "image/png")
                document = documents.add_document(**target, kind=kind, upload=upload)
        return application, document.pk

    def _others(self) -> None:
        """A courier on its way in, one suspended, and a rival."""
        applicant = self._user("applicant")
        with scope(Scope.everything()):
            create_organisation(actor=actor_of_user(applicant), kind="courier", name="Feiyan Express")
        company = COMPANY | {"credit_code": "91330100799655060K", "legal_name": "飞燕"}
        application, document = self._application(actor_of_user(applicant), company)
        self.world.things |= {"draft": str(application.pk), "draft_document": str(document)}
        sleepy_cargo = factories.courier_organisation("Sleepy Cargo", OrganisationStatus.SUSPENDED)
        self._log_in("suspended", factories.member_user("suspended@alliance.example", sleepy_cargo))
        self.rival_courier = factories.courier_organisation("Rival Logistics")
        self._log_in(
            "rival_courier", factories.member_user("rival_courier@alliance.example", self.rival_courier)
        )

    def _merchants(self) -> None:
        self.merchant = factories.merchant_organisation("Lotus Tea")
        self._members("merchant", self.merchant, [Role.OWNER, Role.AGENT, Role.VIEWER])
        self.rival_merchant = factories.merchant_organisation("Bamboo Books")
        self._log_in(
            "rival_merchant", factories.member_user("rival_merchant@alliance.example", self.rival_merchant)
        )

    def _keys(self) -> None:
        organisations = {
            "courier_key": self.courier,
            "merchant_key": self.merchant,
            "rival_courier_key": self.rival_courier,
            "rival_merchant_key": self.rival_merchant,
            "revoked_key": self.courier,
        }
        for name, organisation in organisations.items():
            key = self._key(name, organisation, set(KEY_SCOPES))
            self.world.things[name] = str(key.pk)
        for name in ("courier_key", "merchant_key"):
            self._key(f"{name}_unscoped", organisations[name], {Capability.EXPORT})
        with scope(Scope.everything()):
            revoke(actor=owner(self.courier), api_key_id=int(self.world.things["revoked_key"]))

    def _key(self, name: str, organisation: Organisation, capabilities: set[Capability]) -> ApiKey:
        actor = owner(organisation)
        with scope(Scope.of(actor)):
            key, token = create_api_key(actor=actor, name=name, scopes=capabilities & actor.capabilities)
        self.world.tokens[name] = token
        return key

    # --- things ---

    def _parcels(self) -> None:
        traded = trade(self.courier, self.merchant, ops=self.ops)
        claim = Excuse.objects.waiting().get()
        self.world.things |= {"claim": str(claim.pk), "broken": claim.number}
        ParcelStory.objects.create(
            parcel_id=traded.parcel_id, merchant_id=self.merchant.pk, story="late", began_at=timezone.now()
        )
        manifest = Manifest.objects.get(merchant_id=self.merchant.pk)
        self.world.things |= {"manifest_number": manifest.number}
        trade(self.rival_courier, self.rival_merchant, ops=self.ops)
        self.world.things |= {"parcel": traded.number, "parcel_id": str(traded.parcel_id)}

    def _records(self) -> None:
        """One of each thing that ops look at, by the name of its model."""
        add_entries()
        agent = Member.objects.get(organisation=self.courier, role=Role.AGENT)
        facility = Facility.objects.create(name="Hub", city=self.hangzhou, kind=FacilityKind.values[0])
        note_heartbeat("beat")
        # Long before anything of this world.
        RetiredMonth.objects.create(month=date(2019, 1, 1), state="gone", folder="2019-01", label="test")
        every, _made = IntervalSchedule.objects.get_or_create(every=7, period=IntervalSchedule.DAYS)
        task = PeriodicTask.objects.create(name="Tried", task="alliance.tasks.beat", interval=every)
        day, now = timezone.localdate(), timezone.now()
        records = {
            "address": PickupAddress.objects.get(merchant_id=self.merchant.pk),
            "booking_file": BookingFile.objects.get(merchant_id=self.merchant.pk, state="done"),
            "booking_draft": BookingFile.objects.get(merchant_id=self.merchant.pk, state="draft"),
            "booking_form": BookingTemplate.objects.get(merchant_id=self.merchant.pk, name="Orders"),
            "recipient": SavedRecipient.objects.get(merchant_id=self.merchant.pk),
            "return_policy": ReturnPolicy.objects.get(merchant_id=self.merchant.pk),
            "return_request": ReturnRequest.objects.get(merchant_id=self.merchant.pk),
            "scan_file": ScanFile.objects.get(courier_id=self.courier.pk),
            "pickup": Pickup.objects.get(merchant_id=self.merchant.pk),
            "rule": AllocationRule.objects.get(merchant_id=self.merchant.pk),
            "manifest": Manifest.objects.get(merchant_id=self.merchant.pk),
            "freight": FreightStatement.objects.get(merchant_id=self.merchant.pk),
            "surcharge": Surcharge.objects.get(merchant_id=self.merchant.pk),
            "dry_run": DryRun.objects.get(merchant_id=self.merchant.pk),
            "offer_file": OfferFile.objects.get(courier_id=self.courier.pk),
            "offer": Offer.objects.get(courier_id=self.courier.pk),
            "member": agent, "facility": facility, "user": agent.user,
            "organisation": self.courier, "city": self.hangzhou, "periodic_task": task,
            "audit_entry": AuditEntry.objects.earliest("pk"),
            "event": Event.objects.earliest("pk"), "excuse": Excuse.objects.earliest("pk"),
            "rate": OnTimeRate.objects.earliest("pk"), "tier": ServiceTier.objects.earliest("pk"),
            "commitment": CommitmentListing.objects.earliest("key"),
            "api_call": ApiCall.objects.get(organisation_id=self.courier.pk),
            "breach": BreachListing.objects.earliest("key"),
            "heartbeat": Heartbeat.objects.get(name="beat"),
            "retired_month": RetiredMonth.objects.get(),
            "courier": self.courier, "merchant": self.merchant,
            "courier_home": CourierHome.objects.get(courier_id=self.courier.pk),
            "tier_version": TierVersion.objects.earliest("pk"),
            "capacity_day": CapacityDay.objects.earliest("pk"),
            "disruption": Disruption.objects.create(
                name="Typhoon", reason="weather", country="CN", starts_at=now, ends_at=now + timedelta(days=1)
            ),
            "closure": Closure.objects.create(date=day, country="CN", city=self.hangzhou, name="Typhoon"),
            "credit_schedule": CreditSchedule.objects.earliest("pk"),
            "credit_entry": CreditEntry.objects.earliest("pk"),
            "statement": Statement.objects.earliest("pk"),
            "closed_month": ClosedMonth.objects.earliest("pk"),
            "scorecard": self._scorecard(),
            "score_rules": self._rules_announced(),
            "watch_item": WatchItem.objects.earliest("pk"),
            "revision": Revision.objects.earliest("pk"),
            "export": Export.objects.get(organisation_id=self.courier.pk),
        }  # fmt: skip
        self.world.things |= {name: str(record.pk) for name, record in records.items()}
        hook = WebhookEndpoint.objects.get(organisation_id=self.courier.pk)
        message = WebhookDelivery.objects.filter(endpoint_id=hook.pk).earliest("pk")
        self.world.things |= {"webhook": hook.code, "webhook_message": message.message_id}
        shop = ConnectedShop.objects.get(merchant_id=self.merchant.pk)
        told = ShopMessage.objects.get(shop=shop)
        self.world.things |= {"shop": str(shop.pk), "shop_key": shop.key, "shop_message": str(told.pk)}
        self.world.things["webhook_endpoint"] = str(hook.pk)
        self.world.things["month"] = spell(month_of(timezone.now()))

    def _scorecard(self) -> Scorecard:
        refresh_scorecards(now=timezone.now())
        # Of a month in which both couriers had something due: in the last night of a month not all are.
        both = Scorecard.objects.filter(courier_id=self.rival_courier.pk).values("month")
        scorecard = Scorecard.objects.filter(courier_id=self.courier.pk, month__in=both).latest("month")
        self.world.things["scorecard_month"] = f"{scorecard.month:%Y-%m}"
        return scorecard

    def _rules_announced(self) -> ScoreRules:
        """Rules that no month was scored by yet: they can be taken back."""
        now = timezone.now()
        draft = RulesDraft.of(ScoreRules.objects.earliest("number"))
        return add_rules(actor=self.ops, draft=draft, valid_from=first_month_open(now), now=now)
