"""Claims, and actors who decide on them, for tests."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from alliance.choices import Role
from alliance.members.services.actors import actor_of_organisation, actor_of_user
from alliance.models import Organisation, User
from alliance.tenancy import Actor, Scope, scope
from slas.excuses.services.claims import Claim, claim_excuse
from slas.excuses.services.decisions import DecisionResult, decide_excuses
from slas.excuses.services.permissions import CUSTOMER_SERVICE
from slas.models import Excuse
from tests import factories
from tests.slas.helpers.commitments import DELIVERY, HOUR, NOON, Lane, reach

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)


def agent_of(courier: Organisation, role: Role = Role.AGENT) -> Actor:
    return actor_of_organisation(courier, kind="user", role=role, label=f"{role} of {courier}")


def service_user(email: str = "service@alliance.example", **extra: Any) -> User:
    """A member of customer service."""
    user = factories.user(email, is_staff=True, **extra)
    user.groups.add(Group.objects.get(name=CUSTOMER_SERVICE))
    return user


def service(email: str = "service@alliance.example") -> Actor:
    return actor_of_user(service_user(email))


def at_browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def late_parcel(lane: Lane, **fields: Any) -> int:
    """A parcel delivered an hour late."""
    parcel_id = lane.promise(**fields)
    reach(parcel_id, NOON + HOUR)
    return parcel_id


def picture(name: str = "proof.png", content: bytes = PNG) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "image/png")


def claimed(actor: Actor, parcel_id: int, **given: Any) -> Excuse:
    """Claim in the courier's own scope, as the interfaces do."""
    now = given.pop("now", NOON + 2 * HOUR)
    claim = Claim(parcel_id, **{"kind": DELIVERY, "reason": "weather", **given})
    with scope(Scope.of(actor)):
        return claim_excuse(actor=actor, claim=claim, now=now)


def decided(actor: Actor, excuses: Iterable[Excuse], decision: str, note: str = "because") -> DecisionResult:
    keys = [(excuse.parcel_id, excuse.pk) for excuse in excuses]
    return decide_excuses(actor=actor, keys=keys, decision=decision, note=note, now=NOON + 3 * HOUR)


def states() -> list[tuple[str, str, str]]:
    return list(Excuse.objects.order_by("pk").values_list("state", "source", "reason"))
