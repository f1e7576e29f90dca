"""Couriers and merchants with API keys and log-ins. Import after django.setup()."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from alliance.capabilities import KEY_SCOPES
from alliance.database import partitions
from alliance.members.acquaintances import acquaint
from alliance.members.services.actors import actor_of_organisation
from alliance.members.services.api_keys import create_api_key
from alliance.models import City, Organisation, User
from alliance.tenancy import Scope, raw_rows, scope
from benchmarks.filling import DAYS
from benchmarks.world import Member
from slas.allocation.models import AllocationRule
from slas.choices import RuleAction
from tests import factories


def make(couriers: int, merchants: int) -> tuple[list[Member], list[Member]]:
    """Create months, couriers and merchants in an empty database."""
    now = datetime.now(UTC)
    oldest = partitions.Month.of(now - timedelta(days=DAYS + 1))
    partitions.ensure_months(oldest, partitions.Month.of(now).plus(partitions.MONTHS_AHEAD))
    carriers = [_member(factories.courier_organisation(f"Courier {number}")) for number in range(couriers)]
    senders = [_member(factories.merchant_organisation(f"Merchant {number}")) for number in range(merchants)]
    with scope(Scope.everything()):
        # Their parcels are inserted by SQL.
        acquaint((m.organisation_id, c.organisation_id) for m in senders for c in carriers)
    return carriers, senders


_OFFERS = """
INSERT INTO slas_offer (courier_id, tier_id, origin_id, destination_id, price_fen, daily_capacity, active,
    updated_at)
SELECT o.id, t.id, a.id, b.id, 1200 + o.id %% 7 * 100, 2000000, true, now()
FROM alliance_organisation o, slas_servicetier t, alliance_city a, alliance_city b
WHERE o.kind = 'courier' AND t.code = 'next_day' AND a.code = ANY(%(cities)s) AND b.code = ANY(%(cities)s)
ON CONFLICT DO NOTHING
"""


def offer_everywhere(count: int) -> list[str]:
    """Create next-day offers of all couriers between the cities, with more capacity than a run needs."""
    cities = City.objects.filter(country="CN").order_by("-population", "code")
    codes = list(cities.values_list("code", flat=True)[:count])
    with scope(Scope.everything()):
        raw_rows(_OFFERS, {"cities": codes})
    return codes


def give_rules(merchants: Sequence[Member], count: int) -> None:
    """Give merchants allocation rules: the last decides, those before it hold for few parcels or none."""
    with scope(Scope.everything()):
        couriers = list(
            Organisation.objects.filter(kind="courier").order_by("pk").values_list("pk", flat=True)
        )
        for merchant in merchants:
            rules = [_rule(merchant, place, couriers) for place in range(1, count + 1)]
            rules[-1].action, rules[-1].most_g, rules[-1].reference_prefix = RuleAction.CHEAPEST, None, ""
            AllocationRule.objects.bulk_create(rules)


def _rule(merchant: Member, place: int, couriers: Sequence[int]) -> AllocationRule:
    prefix, most_g = ("", 1_000) if place % 2 else (f"VIP-{place}", None)
    return AllocationRule(
        merchant_id=merchant.organisation_id, position=place, name=f"Rule {place}", action=RuleAction.NEVER,
        couriers={str(couriers[0]): 0}, reference_prefix=prefix, most_g=most_g,
    )  # fmt: skip


def session_of(member: Member) -> str:
    """Log in a new user of an organisation; return the cookie."""
    with scope(Scope.everything()):
        organisation = Organisation.objects.get(pk=member.organisation_id)
    name = f"bench-{member.organisation_id}-{secrets.token_hex(4)}@example.com"
    return session_of_user(factories.member_user(name, organisation))


def session_of_user(user: User) -> str:
    """Log in a user; return the cookie."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: PLC0415
    from django.contrib.sessions.backends.cached_db import SessionStore  # noqa: PLC0415

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"sessionid={session.session_key}"


def _member(organisation: Organisation) -> Member:
    actor = actor_of_organisation(organisation, kind="user", label="bench")
    with scope(Scope.of(actor)):
        token = create_api_key(actor=actor, name="bench", scopes=KEY_SCOPES & actor.capabilities)[1]
    return Member(organisation.pk, token)
