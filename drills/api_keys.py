"""Make an API key of each kind in the demo alliance and print them as JSON: `python -m drills.api_keys`."""

import json
import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    django.setup()
    # Not before Django is set up.
    from alliance.capabilities import KEY_SCOPES  # noqa: PLC0415 -- see above
    from alliance.demo_logins import DEMO_LOGINS  # noqa: PLC0415 -- see above
    from alliance.members.services.actors import actor_of_user  # noqa: PLC0415 -- see above
    from alliance.members.services.api_keys import create_api_key  # noqa: PLC0415 -- see above
    from alliance.models import User  # noqa: PLC0415 -- see above
    from alliance.tenancy import Scope, scope  # noqa: PLC0415 -- see above

    keys = {"anonymous": ""}
    emails = {login.role: login.email for login in DEMO_LOGINS}
    for kind, role, resources in (
        ("merchant", "merchant", None),
        ("courier", "courier", None),
        ("narrow", "merchant", ["parcels:read", "labels:read"]),
    ):
        with scope(Scope.everything()):
            actor = actor_of_user(User.objects.get(email=emails[role]))
        with scope(Scope.of(actor)):
            allowed = KEY_SCOPES & actor.capabilities if resources is None else ()
            keys[kind] = create_api_key(actor=actor, name=kind, scopes=allowed, resources=resources)[1]
    print(json.dumps(keys))  # noqa: T201 -- read by the drill


if __name__ == "__main__":
    main()
