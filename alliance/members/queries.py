"""Checks of the organisations that an actor belongs to."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from alliance.errors import NotPermitted
from alliance.models import Member
from alliance.tenancy import Actor


def refuse_own(actor: Actor, courier_ids: Iterable[int]) -> None:
    """Raise NotPermitted if the actor belongs to one of the couriers: none may judge its own lateness."""
    couriers = set(courier_ids)
    own = {actor.organisation_id}
    if actor.user_id is not None:
        members = Member.objects.filter(user_id=actor.user_id, organisation_id__in=couriers)
        own |= set(members.values_list("organisation_id", flat=True))
    if own & couriers:
        raise NotPermitted(_("You belong to this courier: another person must decide."), code="own_courier")
