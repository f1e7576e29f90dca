"""Accounts of the demo alliance. The password is public: start a production alliance by its own programs
(see docs/deployment.md), never by `manage.py up`, which loads the demo."""

from typing import Final, NamedTuple


class DemoLogin(NamedTuple):
    role: str
    email: str
    password: str


PASSWORD: Final = "same-day-next-day"  # noqa: S105 -- printed by `make run`
DEMO_LOGINS: Final = (
    DemoLogin("ops", "ops@alliance.example", PASSWORD),
    DemoLogin("courier", "courier@alliance.example", PASSWORD),
    DemoLogin("merchant", "merchant@alliance.example", PASSWORD),
    # Ops user who decides on excuses.
    DemoLogin("service", "service@alliance.example", PASSWORD),
)
