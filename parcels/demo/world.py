"""Create the demo's couriers, applications, offers and merchants."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from PIL import Image, ImageDraw
from stdnum.cn import uscc

from alliance.choices import OrganisationKind
from alliance.demo_logins import DEMO_LOGINS, PASSWORD
from alliance.members.services.actors import actor_of_user
from alliance.members.services.organisations import create_organisation
from alliance.models import City, Organisation, User
from alliance.tenancy import Actor, Scope, scope
from couriers.applications.services.applications import (
    add_service_cities,
    save_application_step,
    start_application,
    submit_application,
)
from couriers.applications.services.reviews import approve_application
from couriers.choices import DocumentKind, Step
from couriers.documents.services import add_document
from parcels.bookings.models import PickupAddress
from parcels.demo.cast import APPLICANTS, COURIERS, TRADES, DemoCourier
from slas.excuses.services.permissions import CUSTOMER_SERVICE
from slas.offers.services.offer_rows import OfferRow
from slas.offers.services.row_results import OfferBook

CITIES = 30
# Yuan for the first weight band: what merchants know from the market, before a courier's own factor.
LIST_PRICES = {"same_day": 16.0, "next_day": 12.0, "standard": 7.0}


@dataclass(frozen=True, slots=True)
class Seller:
    """A courier of the demo, and the actor of its programs."""

    cast: DemoCourier
    actor: Actor
    public_id: str
    cities: tuple[City, ...]


@dataclass(frozen=True, slots=True)
class Buyer:
    """A merchant of the demo, its city and its volume."""

    name: str
    actor: Actor
    city: City
    address_id: int
    parcels_a_day: float
    # Books every day, not every other.
    daily: bool


def demo_cities() -> list[City]:
    """Return China's largest cities, the largest first."""
    chinese = City.objects.filter(country="CN").order_by("-population", "code")
    return list(chinese[:CITIES])


def make_ops() -> Actor:
    """Create the account of ops and return its actor."""
    user = _user(DEMO_LOGINS[0].email, "Operations", is_staff=True, is_superuser=True)
    return actor_of_user(user)


def make_service() -> Actor:
    """Create the account of customer service and return its actor."""
    user = _user(DEMO_LOGINS[3].email, "Customer service 客服", is_staff=True)
    user.groups.add(Group.objects.get(name=CUSTOMER_SERVICE))
    return actor_of_user(user)


def make_couriers(ops: Actor, cities: Sequence[City], *, founded: datetime, until: datetime) -> list[Seller]:
    """Enrol the couriers through the portal's services and have ops approve them; some still wait."""
    sellers = []
    for number, cast in enumerate(COURIERS):
        email = DEMO_LOGINS[1].email if number == 0 else f"courier{number + 1}@alliance.example"
        user = _user(email, cast.contact)
        application_id = _apply(user, cast.name, cast, cities, submit=True, now=founded)
        with scope(Scope.everything()):
            courier = approve_application(actor=ops, application_id=application_id, now=founded)
            public_id = courier.organisation.public_id
        served = tuple(cities[place] for place in cast.cities)
        sellers.append(Seller(cast, actor_of_user(user), public_id, served))
    for number, (name, submits) in enumerate(APPLICANTS):
        user = _user(f"applicant{number + 1}@alliance.example", "")
        _apply(user, name, COURIERS[number], cities, submit=submits, now=until - timedelta(hours=30))
    return sellers


def make_offers(sellers: Sequence[Seller], random: Random) -> int:
    """Create every courier's offers, like a CSV upload; return how many."""
    count = 0
    for seller in sellers:
        rows = [OfferRow(line, cells) for line, cells in enumerate(_offer_rows(seller, random), start=2)]
        with scope(Scope.of(seller.actor)):
            book = OfferBook(seller.actor)
            results = book.judge(rows)
            book.save(results)
        count += sum(result.outcome == "created" for result in results)
    return count


def make_merchants(cities: Sequence[City], random: Random, *, founded: datetime) -> list[Buyer]:
    """Sign the merchants up; each sends from one city."""
    buyers = []
    for number, name in enumerate(TRADES):
        email = DEMO_LOGINS[2].email if number == 0 else f"merchant{number + 1}@alliance.example"
        user = _user(email, "")
        merchant = create_organisation(actor=actor_of_user(user), kind=OrganisationKind.MERCHANT, name=name)
        with scope(Scope.everything()):
            # A new merchant may book only so much.
            Organisation.objects.filter(pk=merchant.pk).update(created_at=founded - timedelta(days=60))
        actor = actor_of_user(user)
        # The first cities are served by most couriers, and most merchants are there. The one who can log
        # in sends the most, every day: there is more to see.
        city = cities[0 if number == 0 else min(int(random.expovariate(0.18)), len(cities) - 1)]
        a_day = 24.0 if number == 0 else random.uniform(4.5, 15.0)
        with scope(Scope.of(actor)):
            address = PickupAddress.objects.create(
                merchant_id=actor.tenant_id, name="Main warehouse 主仓", city=city, is_default=True,
                address=f"{city.name_zh}仓储路{random.randint(1, 300)}号", contact_name="仓库",
                contact_phone=f"138{random.randint(0, 99_999_999):08d}",
            )  # fmt: skip
        buyers.append(Buyer(name, actor, city, address.pk, a_day, daily=number == 0))
    return buyers


def _user(email: str, name: str, **extra: bool) -> User:
    # Only the demo's log-ins have passwords: hashing one takes a quarter of a second.
    password = PASSWORD if email in {login.email for login in DEMO_LOGINS} else None
    user = User.objects.create_user(email, password, name=name, **extra)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def _apply(
    user: User, name: str, cast: DemoCourier, cities: Sequence[City], *, submit: bool, now: datetime
) -> int:
    create_organisation(actor=actor_of_user(user), kind=OrganisationKind.COURIER, name=name)
    actor = actor_of_user(user)
    with scope(Scope.of(actor)):
        application = start_application(actor=actor)
        company = {
            "legal_name": name, "credit_code": _credit_code(name), "permit_number": cast.permit,
            "founded_on": date(2009, 6, 18), "fleet_size": 240, "daily_capacity": 40_000,
        }  # fmt: skip
        save_application_step(actor=actor, application_id=application.pk, step=Step.COMPANY, values=company)
        if not submit:
            return application.pk
        contact = {
            "contact_name": cast.contact, "contact_phone": "+86 571 8765 4321", "contact_email": user.email,
        }  # fmt: skip
        save_application_step(actor=actor, application_id=application.pk, step=Step.CONTACT, values=contact)
        city_ids = [cities[place].pk for place in cast.cities]
        add_service_cities(actor=actor, application_id=application.pk, city_ids=city_ids)
        for kind in (DocumentKind.BUSINESS_LICENCE, DocumentKind.EXPRESS_PERMIT):
            add_document(actor=actor, application_id=application.pk, kind=kind, upload=_document(kind, name))
        submit_application(actor=actor, application_id=application.pk, now=now)
    return application.pk


def _credit_code(name: str) -> str:
    random = Random(name)
    body = "91330100MA" + "".join(random.choice("0123456789ABCDEFGHJKLMNPQRTUWXY") for _i in range(7))
    return body + uscc.calc_check_digit(body)


def _document(kind: DocumentKind, name: str) -> "ContentFile[bytes]":
    page = Image.new("RGB", (840, 594), "#fffdf5")
    draw = ImageDraw.Draw(page)
    draw.rectangle((20, 20, 820, 574), outline="#b8860b", width=6)
    # The image library's font has no Chinese characters: only the Latin part of the name is drawn.
    lines = (kind.value.replace("_", " ").upper(), name.encode("ascii", "ignore").decode(), "SPECIMEN")
    draw.text((80, 120), "\n\n".join(lines), fill="#444", font_size=34)
    out = io.BytesIO()
    page.save(out, "PNG")
    return ContentFile(out.getvalue(), name=f"{kind.value}.png")


def _offer_rows(seller: Seller, random: Random) -> list[dict[str, str]]:
    rows = []
    for origin in seller.cities:
        for destination in seller.cities:
            tiers = ("same_day", "next_day") if origin == destination else ("next_day", "standard")
            for tier in tiers:
                price = LIST_PRICES[tier] * seller.cast.price * random.uniform(0.95, 1.08)
                rows.append(
                    {
                        "tier": tier, "origin": origin.code, "destination": destination.code,
                        "price": f"{price:.1f}0", "daily_capacity": str(random.choice((20, 40, 80, 150))),
                        "on_sale": "yes",
                    }
                )  # fmt: skip
    return rows
