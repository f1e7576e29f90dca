"""What a sandbox reads as its merchant does: see alliance.sandboxes."""

from contextlib import AbstractContextManager, nullcontext

from alliance.sandboxes import live_of
from alliance.tenancy import Actor, Scope, scope


def as_live(actor: Actor) -> AbstractContextManager[None]:
    """Run a block in the scope of the live merchant, to read what is on sale to it; others keep theirs."""
    return scope(Scope.merchant(live_of(actor.tenant_id))) if actor.is_test else nullcontext()
