"""Kinds of actor, and the rules that sort them before a door: the words of the access table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

# A status; or being led to the log-in page, which is a 302 as well.
LOGIN: Final = "log-in"
Answer = int | Literal["log-in"]

ACTORS: Final = {
    "anonymous": "nobody: neither log-in nor key",
    "newcomer": "user without an organisation",
    "applicant": "owner of a courier company whose application is a draft",
    "suspended": "owner of a suspended courier",
    "courier_owner": "owner of courier A, whose application was approved",
    "courier_manager": "manager of courier A",
    "courier_agent": "agent of courier A",
    "courier_finance": "finance of courier A",
    "courier_viewer": "viewer of courier A",
    "rival_courier": "owner of courier B",
    "merchant_owner": "owner of merchant A",
    "merchant_agent": "agent of merchant A",
    "merchant_viewer": "viewer of merchant A",
    "rival_merchant": "owner of merchant B",
    "staff": "ops, not a superuser: in the group Operations",
    "stray": "staff in no group",
    "service": "ops of the customer service: decides on excuses, looks up parcels, promises and breaches",
    "ops": "ops, superuser",
    "courier_key": "API key of courier A with every scope",
    "courier_key_unscoped": "API key of courier A for downloads only",
    "merchant_key": "API key of merchant A with every scope",
    "merchant_key_unscoped": "API key of merchant A for downloads only",
    "rival_courier_key": "API key of courier B with every scope",
    "rival_merchant_key": "API key of merchant B with every scope",
    "revoked_key": "revoked API key of courier A",
}
OPERATORS: Final = {"staff", "ops"}
OPS: Final = OPERATORS | {"service"}
KEYS: Final = {name for name in ACTORS if "_key" in name}
STRANGERS: Final = {"anonymous", "revoked_key"}
BROWSERS: Final = set(ACTORS) - KEYS - {"anonymous"}


@dataclass(frozen=True)
class Rule:
    """What a door answers to each actor: "own", "rival" and "ops" are filled in by its row.

    Own: allowed, and the thing asked for is theirs. Rival: allowed as well, but it is not theirs.
    """

    name: str
    about: str
    answers: dict[str, Answer | Literal["own", "rival", "ops"]]


def _rule(name: str, about: str, refusals: dict[str, Answer], **allowed: Iterable[str]) -> Rule:
    answers: dict[str, Answer | Literal["own", "rival", "ops"]] = {**refusals}
    for word, actors in allowed.items():
        answers |= dict.fromkeys(actors, word)  # type: ignore[arg-type]
    assert set(answers) == set(ACTORS), set(ACTORS) ^ set(answers)
    return Rule(name, about, answers)


def page(
    name: str,
    about: str,
    *,
    own: str = "",
    rival: str = "",
    ops: Iterable[str] = OPERATORS,
    refused: int = 403,
) -> Rule:
    """A page of the portal: who is not logged in is asked to, who may not is refused. Keys are no log-in."""
    refusals: dict[str, Answer] = dict.fromkeys(ACTORS, refused)
    refusals |= dict.fromkeys(KEYS | {"anonymous"}, LOGIN)
    return _rule(name, about, refusals, own=own.split(), rival=rival.split(), ops=ops)


def call(name: str, about: str, *, own: str = "", rival: str = "", ops: Iterable[str] = OPERATORS) -> Rule:
    """A call of the API: 401 for strangers, 403 for who may not."""
    refusals: dict[str, Answer] = dict.fromkeys(ACTORS, 403) | dict.fromkeys(STRANGERS, 401)
    return _rule(name, about, refusals, own=own.split(), rival=rival.split(), ops=ops)


def desk(name: str, about: str, *, ops: Iterable[str]) -> Rule:
    """A page of the admin: everybody but ops is asked to log in as such."""
    refusals: dict[str, Answer] = dict.fromkeys(ACTORS, LOGIN) | dict.fromkeys(OPS | {"stray"}, 403)
    return _rule(name, about, refusals, ops=ops)


COURIERS = "courier_owner courier_manager courier_agent courier_finance courier_viewer"
MERCHANTS = "merchant_owner merchant_agent merchant_viewer"
RIVALS = "rival_courier rival_merchant"
KEY_HOLDERS = "courier_key merchant_key"
RIVAL_KEYS = "rival_courier_key rival_merchant_key"
CANNOT_EXPORT = {"courier_viewer", "merchant_viewer"}

PUBLIC = _rule("public", "everybody", {}, own=ACTORS)
SIGNED_IN = page("signed in", "whoever is logged in", own=" ".join(BROWSERS), ops=OPS)
READ = page(
    "read",
    "parcels, rates and breaches: every role of an active organisation",
    own=f"{COURIERS} {MERCHANTS}",
    rival=RIVALS,
    ops=OPS,
)
EXPORT = page(
    "export",
    "downloads: every role but viewers",
    own="courier_owner courier_manager courier_agent courier_finance merchant_owner merchant_agent",
    rival=RIVALS,
)
FINANCE = page(
    "finance",
    "statements: owners, managers, finance",
    own="courier_owner courier_manager courier_finance merchant_owner",
    rival=RIVALS,
)
EXPORT_FILE = page(
    "a file",
    "a file of courier A",
    own="courier_owner courier_manager courier_agent courier_finance",
    rival=f"merchant_owner merchant_agent {RIVALS}",
)
UNMASK = page(
    "unmask",
    "recipients in full: owners, managers, agents",
    own="courier_owner courier_manager courier_agent merchant_owner merchant_agent",
    rival=RIVALS,
)
PRINT = page(
    "print",
    "labels: owners, managers, agents, who handle parcels",
    own="courier_owner courier_manager courier_agent merchant_owner merchant_agent",
    rival=RIVALS,
)
SET_UP = page(
    "set up",
    "settings of the company: owners and managers",
    own="courier_owner courier_manager merchant_owner",
    rival=RIVALS,
)
BOOK = page(
    "book",
    "quotes, bookings, pickup addresses: a merchant's owners, managers, agents",
    own="merchant_owner merchant_agent",
    rival="rival_merchant",
)
ALLOCATE = page(
    "allocate",
    "changing allocation rules: a merchant's owners and managers",
    own="merchant_owner",
    rival="rival_merchant",
)
SHOPS = page(
    "shops",
    "connected shops: a merchant's owners and managers",
    own="merchant_owner",
    rival="rival_merchant",
)
SCAN = page(
    "scan",
    "scans by file: a courier's owners, managers, agents",
    own="courier_owner courier_manager courier_agent",
    rival="rival_courier suspended",
)
CLAIM = page(
    "claim",
    "claiming excuses: a courier's owners, managers, agents",
    own="courier_owner courier_manager courier_agent",
    rival="rival_courier",
    ops=(),
)
SEE_OFFERS = page(
    "see offers", "offers and facilities: every role of a courier", own=COURIERS, rival="rival_courier"
)
SELL = page(
    "sell",
    "changing offers: a courier's owners and managers",
    own="courier_owner courier_manager",
    rival="rival_courier",
)
# A's application is approved, so its pages lead on; B has none.
DRAFT = page(
    "apply",
    "the own application while it is open: owner of an applicant",
    own="applicant",
    rival="courier_owner courier_manager rival_courier",
    ops=(),
)
MEMBER_DATA = page(
    "company data",
    "a courier's data after its approval: owners and managers; an applicant has its application",
    own="courier_owner courier_manager",
    rival="rival_courier",
    ops=(),
)
MERCHANT_DATA = page(
    "merchant's data",
    "a merchant's contact: its owners and managers",
    own="merchant_owner",
    rival="rival_merchant",
    ops=(),
)
PEOPLE = page(
    "people", "members: owners", own="applicant courier_owner rival_courier merchant_owner rival_merchant"
)
PERSON = page(
    "a member",
    "a member of courier A",
    own="courier_owner",
    rival="applicant rival_courier merchant_owner rival_merchant",
)
SECRETS = page(
    "keys",
    "API keys: owners and managers",
    own="courier_owner courier_manager rival_courier merchant_owner rival_merchant",
)
SECRET = page(
    "a key",
    "a key of courier A",
    own="courier_owner courier_manager",
    rival="rival_courier merchant_owner rival_merchant",
)
PAPER = page("a document", "a document of courier A", own="courier_owner courier_manager", refused=404)
DRAFT_PAPER = page("a document of a draft", "a document of the applicant", own="applicant", refused=404)

STRANGERS_ONLY = _rule(
    "log-in and sign-up",
    "whoever is not logged in; others are led on",
    dict.fromkeys(BROWSERS, 302),
    own=KEYS | {"anonymous"},
)
ADMIN_DOOR = _rule(
    "log-in to the admin",
    "whoever is not logged in; ops are led on",
    dict.fromkeys(BROWSERS, 403) | dict.fromkeys(OPS, 302),
    own=KEYS | {"anonymous"},
)
KNOWN = call(
    "API: known", "whoever has a log-in or a key", own=" ".join(set(ACTORS) - STRANGERS - OPS), ops=OPS
)
API_READ = call(
    "API: read",
    "parcels, rates and breaches",
    own=f"{COURIERS} {MERCHANTS} {KEY_HOLDERS}",
    rival=f"{RIVALS} {RIVAL_KEYS}",
    ops=OPS,
)
_EXPORTERS = "courier_owner courier_manager courier_agent courier_finance courier_key"
API_EXPORT = call(
    "API: export",
    "files of one's own",
    own=f"{_EXPORTERS} merchant_owner merchant_agent merchant_key",
    rival=f"{RIVALS} {RIVAL_KEYS}",
)
API_EXPORT_FILE = call(
    "API: a file",
    "a file of courier A",
    own=_EXPORTERS,
    rival=f"merchant_owner merchant_agent merchant_key {RIVALS} {RIVAL_KEYS}",
)
API_PRINT = call(
    "API: print",
    "labels",
    own=f"courier_owner courier_manager courier_agent merchant_owner merchant_agent {KEY_HOLDERS}",
    rival=f"{RIVALS} {RIVAL_KEYS}",
)
API_BOOK = call(
    "API: book",
    "quotes and bookings",
    own="merchant_owner merchant_agent merchant_key",
    rival="rival_merchant rival_merchant_key",
)
API_ALLOCATE = call(
    "API: allocate",
    "changing allocation rules",
    own="merchant_owner merchant_key",
    rival="rival_merchant rival_merchant_key",
)
API_WEBHOOKS = call(
    "API: webhooks",
    "webhooks: owners, managers, keys",
    own=f"courier_owner courier_manager merchant_owner {KEY_HOLDERS}",
    rival=f"{RIVALS} {RIVAL_KEYS}",
)
API_WEBHOOK = call(
    "API: a webhook",
    "a webhook of courier A",
    own="courier_owner courier_manager courier_key",
    rival=f"merchant_owner merchant_key {RIVALS} {RIVAL_KEYS}",
)
API_SEE_OFFERS = call(
    "API: see offers",
    "a courier's own offers",
    own=f"{COURIERS} courier_key",
    rival="rival_courier rival_courier_key",
)
API_SELL = call(
    "API: sell",
    "changing offers: a courier's owners and managers",
    own="courier_owner courier_manager courier_key",
    rival="rival_courier rival_courier_key",
)
API_FINANCE = call(
    "API: finance",
    "statements",
    own=f"courier_owner courier_manager courier_finance merchant_owner {KEY_HOLDERS}",
    rival=f"{RIVALS} {RIVAL_KEYS}",
)
API_SCAN = call(
    "API: scan",
    "scans",
    own="courier_owner courier_manager courier_agent courier_key",
    rival="rival_courier rival_courier_key suspended",
)
API_SCORES = call(
    "API: scorecards",
    "a courier's scorecards",
    own=f"{COURIERS} courier_key",
    rival="rival_courier rival_courier_key",
)

API_CLAIM = call(
    "API: claim",
    "claiming excuses",
    own="courier_owner courier_manager courier_agent courier_key",
    rival="rival_courier rival_courier_key",
    ops=(),
)

DESK = desk("admin", "ops who run the alliance", ops=OPERATORS)
LOOK_UP = desk("admin: look up", "all of ops, customer service among them", ops=OPS)
DECIDE = desk("admin: decide", "deciding on excuses: customer service, superusers", ops={"service", "ops"})
SUPERUSER = desk("admin: superusers", "ops who are superusers", ops={"ops"})
