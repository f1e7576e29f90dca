"""Which organisations a person belongs to."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from alliance.errors import NotPermitted
from alliance.models import Member
from alliance.tenancy import Actor


def refuse_own(actor: Actor, courier_ids: Iterable[int]) -> None:
    """Raise NotPermitted for whoever belongs to one of the couriers: nobody judges their own lateness."""
    concerned = set(courier_ids)
    mine = {actor.organisation_id}
    if actor.user_id is not None:
        members = Member.objects.filter(user_id=actor.user_id, organisation_id__in=concerned)
        mine |= set(members.values_list("organisation_id", flat=True))
    if mine & concerned:
        raise NotPermitted(_("You belong to this courier: another person must decide."), code="own_courier")
