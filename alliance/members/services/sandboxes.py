"""Open a merchant's sandbox."""

from alliance import audit
from alliance.choices import Capability
from alliance.errors import NotPermitted
from alliance.members.models import Organisation
from alliance.members.services.organisations import RECORD_CREATORS
from alliance.sandboxes import live_of, sandbox_of
from alliance.tenancy import Actor, Scope, require, scope


def open_sandbox(*, actor: Actor) -> int:
    """Return the id of the sandbox of the actor's merchant, made at its first use.

    Raises NotPermitted for couriers and staff: only merchants have one.
    """
    require(actor, Capability.VIEW_PARCELS)
    if not actor.is_merchant or actor.organisation_id is None:
        raise NotPermitted
    live_id, sandbox_id = live_of(actor.organisation_id), sandbox_of(actor.organisation_id)
    # Nobody is its member yet, so no tenant's scope may write these rows.
    with scope(Scope.everything()):
        live = Organisation.objects.get(pk=live_id)
        sandbox, is_new = Organisation.objects.get_or_create(
            pk=sandbox_id,
            # No other slug has a tilde.
            defaults={
                "kind": live.kind, "status": live.status, "name": live.name, "slug": f"{live_id}~test",
                "label_size": live.label_size,
            },
        )  # fmt: skip
        if is_new:
            RECORD_CREATORS[live.kind](sandbox)
            audit.record(
                actor=actor,
                verb="sandbox.opened",
                object_type="organisation",
                object_id=live_id,
                organisation_id=live_id,
            )
    return sandbox_id
