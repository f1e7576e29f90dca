"""Mails about exemptions: to ops when one is requested, to couriers when theirs are decided."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db.models import Q
from django.urls import reverse

from alliance import mails
from alliance.choices import Role
from alliance.figures import unless_away
from alliance.members.queries import staff_who_may
from alliance.models import Member, Organisation
from alliance.tenancy import Scope, scope
from slas.choices import ExcuseState
from slas.excuses.models import Excuse
from slas.excuses.services.permissions import PERMISSION

# One mail an hour: a courier may request hundreds one by one.
QUIET_FOR: Final = timedelta(hours=1)
NUMBERS_SHOWN: Final = 20


def tell_ops_of_claim(excuse: Excuse, *, at: datetime) -> None:
    """Mail who may decide that a request waits, unless one was made within the last hour.

    Nor while a worker of a cluster is away, as nobody can count them: the next mail does.
    """
    # The courier's scope does not show what others requested.
    with scope(Scope.everything()):
        waiting = unless_away(partial(_waiting, excuse, at), otherwise=0)
        if not waiting:
            return
        courier = Organisation.objects.get(pk=excuse.courier_id)
        mails.write_mails(
            to=staff_who_may(PERMISSION),
            template="slas/mail/claimed",
            context={"courier": mails.without_links(courier.name), "waiting": waiting},
            path=reverse("admin:slas_excuse_changelist"),
        )


def _waiting(excuse: Excuse, at: datetime) -> int:
    """How many requests wait, this one included; 0 if another was made within the last hour."""
    recent = Excuse.objects.waiting().filter(claimed_at__gt=at - QUIET_FOR)
    return 0 if recent.exclude(pk=excuse.pk).exists() else Excuse.objects.waiting().count()


def tell_couriers_of_decision(excuses: Sequence[Excuse], state: ExcuseState) -> None:
    """Mail each courier concerned once: its owners, and who requested the exemptions."""
    by_courier: defaultdict[int, list[Excuse]] = defaultdict(list)
    for excuse in excuses:
        by_courier[excuse.courier_id].append(excuse)
    for courier_id, own in by_courier.items():
        claimants = {excuse.claimed_by_id for excuse in own} - {None}
        members = Member.objects.active().filter(
            Q(role=Role.OWNER) | Q(user_id__in=claimants), organisation_id=courier_id
        )
        mails.write_mails(
            to=list(members.values_list("user__email", "user__language")),
            template="slas/mail/decided",
            context={
                "state": state.label,
                "count": len(own),
                "numbers": sorted({excuse.number for excuse in own})[:NUMBERS_SHOWN],
                "more": max(len({excuse.number for excuse in own}) - NUMBERS_SHOWN, 0),
            },
            path=reverse("slas:excuse_list"),
        )
