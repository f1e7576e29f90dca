"""Who can log in to the demo alliance. The password is public: the demo is never loaded by itself
into a database that is not the embedded one."""

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
)
