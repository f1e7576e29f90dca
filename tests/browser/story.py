"""What the stories are told with: people who have a browser each, and a clock that can be put anywhere."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from slas import tasks
from tests import factories

CHINA = ZoneInfo("Asia/Shanghai")
# The machine that runs the tests may have more to do than run the tests.
PATIENCE = 30_000
PHONE = {"width": 375, "height": 740}

OVERFLOW = """() => document.scrollingElement.scrollWidth <= window.innerWidth ? [] :
    [...document.querySelectorAll('body *')]
        .filter(element => element.getBoundingClientRect().right > window.innerWidth + 1)
        .slice(0, 5).map(element => `${element.tagName}.${element.className}`)"""


class _AnyDatetime(type):
    """Django asks of moments whether they are datetimes; ordinary ones are."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class Clock:
    """The time as Django tells it, in the live server and in the test: it goes on from where it was put."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock, self.ahead = self, timedelta()

        class Moved(datetime, metaclass=_AnyDatetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:
                return datetime.now(tz) + clock.ahead

        # Not timezone.now itself: models have taken that as a default when they were imported.
        monkeypatch.setattr(timezone, "datetime", Moved)
        # After today whatever time it is, so that a browser, whose clock stays, sees no cut-off passed.
        self.first_day = timezone.localdate() + timedelta(days=1)

    def day(self, number: int) -> date:
        """Return the story's day of that number; the first is 0."""
        return self.first_day + timedelta(days=number)

    def at(self, day: int, wall_clock: str) -> datetime:
        """Return a moment of the story, by the clocks of China."""
        return datetime.combine(self.day(day), time.fromisoformat(wall_clock), CHINA)

    def put(self, day: int, wall_clock: str) -> datetime:
        """Let it be that moment now."""
        moment = self.at(day, wall_clock)
        self.ahead = moment - datetime.now(UTC)
        return moment


@dataclass(eq=False)
class Person:
    """Somebody with a browser of their own, and what it complained about."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def log_in(self, email: str, password: str = factories.PASSWORD) -> None:
        """Log in through the page, and go where that leads."""
        self.page.goto("/accounts/login/")
        self.page.get_by_label("E-mail").fill(email)
        self.page.locator("#id_password").fill(password)
        self.press("Log in")
        self.page.wait_for_url(lambda url: "/accounts/login/" not in url)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def fill(self, **fields: str) -> None:
        """Type into fields, by their names in the form."""
        for name, text in fields.items():
            self.page.locator(f"#id_{name}").fill(text)

    def sees(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible()

    def is_told(self, name: str, text: str) -> None:
        """See an error at the field it is about, found by screen readers as well."""
        error = self.page.locator(f"#id_{name}_error")
        expect(error).to_be_visible()
        expect(error).to_contain_text(text)
        entry = self.page.locator(f"#id_{name}")
        expect(entry).to_have_attribute("aria-invalid", "true")
        assert f"id_{name}_error" in (entry.get_attribute("aria-describedby") or "").split()
        below = error.bounding_box()["y"] - entry.bounding_box()["y"]
        assert 0 < below < 200, f"the error of {name} is {below} px away from it"

    def card(self, label: str | re.Pattern[str]) -> Locator:
        """Return the dashboard's card of that label."""
        return self.page.locator(".ca-rates, .ca-stat, .ops-card").filter(has_text=label).first

    def _note(self, message: ConsoleMessage) -> None:
        # Wrong input is answered with 422, which the browser mentions.
        if message.type in ("error", "warning") and "status of 422" not in message.text:
            self.complaints.append(f"{self.page.url}: {message.text} {message.location.get('url', '')}")


@dataclass(frozen=True)
class Alliance:
    """Who looks at the parcels, and two parcels: one delivered, one of which nothing more is heard."""

    courier: Person
    merchant: Person
    ops: Person
    delivered: str
    silent: str


def run_the_tasks() -> None:
    """Do what beat has done every minute: sweep, then fold."""
    tasks.sweep_overdue()
    tasks.fold_tallies()


def expect_rate(person: Person, what: str, days: int, *, rate: str, n: int) -> None:
    """See a raw and an accountable rate of a period on a dashboard's card."""
    switch = person.page.get_by_role("link", name=f"{days} days", exact=True)
    if switch.count():
        switch.click()
        person.page.wait_for_url(f"**days={days}")
        card = person.card(f"{what} on time")
    else:
        # Ops see both periods at once.
        card = person.card(re.compile(rf"{what} on time,.* {days} days"))
    expect(card.locator("dd")).to_have_text([f"{rate}\N{NO-BREAK SPACE}%"] * 2)
    expect(card).to_contain_text(f"n = {n}")
