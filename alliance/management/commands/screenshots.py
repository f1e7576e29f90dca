"""`manage.py screenshots`: take pictures of the running product with the demo, for the README."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from PIL import Image

from alliance.demo_logins import DEMO_LOGINS
from alliance.management.programs import answers

DESKTOP: Final = {"viewport": {"width": 1280, "height": 800}}
PHONE: Final = {"viewport": {"width": 390, "height": 800}, "device_scale_factor": 2, "is_mobile": True}
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
# The first start loads the demo alliance.
PATIENCE_SECONDS: Final = 600
# Wait after the page has loaded, for fonts, icons and charts.
SETTLE_MS: Final = 1_500
MAX_BYTES: Final = 300_000

# Playwright's Page; the package is a development dependency, so its types may be missing.
Page = Any
Prepare = Callable[[Page], None]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: the user, the page, and the steps before it is taken."""

    name: str
    role: str
    path: str
    prepare: Prepare | None = None
    language: str = "en"
    phone: bool = False


def _first_parcel(page: Page) -> None:
    page.locator("#parcel-list tbody a").first.click()


def _first_breach(page: Page) -> None:
    page.locator("main tbody a[href*='/breaches/CA']").first.click()


def _tracking(page: Page) -> None:
    """Open the tracking page as the recipient, who has no account."""
    _first_parcel(page)
    address = page.locator("a[href*='/track/CA']").first.get_attribute("href")
    page.context.clear_cookies()
    page.goto(address)


def _quote(page: Page) -> None:
    """Request quotes of a lane that several couriers of the demo offer."""
    page.goto("/quote/")
    if page.locator("#id_pickup_address").count():
        page.locator("#id_pickup_address").select_option("")
    for field, text in {"origin": "Shanghai", "destination": "Beijing", "weight": "1.2"}.items():
        page.locator(f"#id_{field}").fill(text)
    page.locator("#id_tier").select_option("next_day")
    page.locator("main form button[type=submit]").first.click()
    page.locator("#offers").wait_for()
    page.locator("#offers").scroll_into_view_if_needed()


PICTURES: Final = (
    Picture("landing", "", "/"),
    Picture("courier-dashboard", "courier", "/dashboard/"),
    Picture("on-time-rates", "courier", "/rates/?group_by=lane&period=30"),
    Picture("lane-heat-map", "ops", "/rates/?period=30&picture=lanes"),
    Picture("breaches", "courier", "/breaches/"),
    Picture("breach", "courier", "/breaches/?state=late", _first_breach),
    Picture("watch-list", "courier", "/watch/"),
    Picture("scorecard", "courier", "/scorecards/"),
    Picture("statements", "merchant", "/statements/"),
    Picture("merchant-quote", "merchant", "/quote/", _quote),
    Picture("parcel-list", "merchant", "/parcels/"),
    Picture("parcel-detail", "merchant", "/parcels/?tier=next_day&status=delivered", _first_parcel),
    Picture("merchant-dashboard-zh", "merchant", "/dashboard/", language="zh-hans"),
    Picture(
        "tracking-phone",
        "merchant",
        "/parcels/?tier=next_day&status=delivered",
        _tracking,
        phone=True,
    ),
    Picture("ops-dashboard", "ops", "/admin/"),
    Picture("api-docs", "", "/api/docs/"),
)


class Command(BaseCommand):
    help = "Takes the pictures in docs/images from the running product with its demo alliance."
    # Checks need the database, which may not run before the product is started.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="", help="Where the product runs; without it, it is started.")
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "docs" / "images")
        parser.add_argument("--only", default="", help="Names of pictures, with commas between.")

    def handle(self, *args: Any, url: str, folder: Path, only: str, **options: Any) -> None:
        """Find the browser and the product, then take the pictures one after the other."""
        playwright = require_playwright()
        executable = require_chromium()
        pictures = [picture for picture in PICTURES if not only or picture.name in only.split(",")]
        if not pictures:
            names = ", ".join(picture.name for picture in PICTURES)
            raise CommandError(f"There is no such picture. There are: {names}.")
        folder.mkdir(parents=True, exist_ok=True)
        with product(url.rstrip("/")) as address, playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
            )
            for picture in pictures:
                size = self._take(browser, address, picture, folder)
                self.stdout.write(f"{picture.name:<24}{size / 1000:>5.0f} kB")
            browser.close()

    def _take(self, browser: Any, address: str, picture: Picture, folder: Path) -> int:
        look: dict[str, Any] = PHONE if picture.phone else DESKTOP
        context = browser.new_context(base_url=address, reduced_motion="reduce", **look)
        cookie = {"name": "django_language", "value": picture.language, "url": address}
        context.add_cookies([cookie])
        page = context.new_page()
        try:
            if picture.role:
                log_in(page, picture.role)
            page.goto(picture.path)
            if picture.prepare:
                picture.prepare(page)
            page.wait_for_load_state()
            page.wait_for_timeout(SETTLE_MS)
            content = smaller(page.screenshot())
        except Exception as error:
            line = str(error).strip().split("\n")[0]
            raise CommandError(f"{picture.name} could not be taken at {page.url}: {line}") from error
        finally:
            context.close()
        (folder / f"{picture.name}.png").write_bytes(content)
        return len(content)


def require_playwright() -> Any:
    """Return Playwright's entry point, or raise CommandError: it is a development dependency."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- not there in production
    except ImportError as error:
        raise CommandError(
            "Screenshots need Playwright, which comes with requirements-dev.lock: make screenshots."
        ) from error
    return sync_playwright


def require_chromium() -> str:
    """Return the path of Chromium, or raise CommandError."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        raise CommandError("Screenshots need Chromium: apt-get install chromium fonts-noto-cjk.")
    return path


@contextmanager
def product(url: str) -> Iterator[str]:
    """Yield the URL of a running product: the given one, or one started for the block."""
    if url:
        if not answers(url):
            raise CommandError(f"Nothing answers at {url}; start it with: make run")
        wait_until_demo_is_loaded(url)
        yield url
        return
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "up", "--port", str(port)]
    quiet = {"LOG_LEVEL": "WARNING", **os.environ}
    # A session of its own: Ctrl-C reaches only us, and we stop the program.
    program = subprocess.Popen(command, env=quiet, start_new_session=True)  # noqa: S603 -- ourselves
    try:
        wait_until_it_answers(program, address)
        wait_until_demo_is_loaded(address)
        yield address
    finally:
        program.send_signal(signal.SIGINT)
        try:
            program.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait(PATIENCE_SECONDS)


def free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return int(attempt.getsockname()[1])


def wait_until_it_answers(program: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not answers(address):
        if program.poll() is not None:
            raise CommandError("The product did not start; what it said is above.")
        if time.monotonic() > until:
            raise CommandError(f"The product did not answer within {PATIENCE_SECONDS} s.")
        time.sleep(0.5)


def wait_until_demo_is_loaded(address: str) -> None:
    """Wait until pages no longer show that the demo is being loaded."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{address}/demo-progress/", timeout=30) as response:  # noqa: S310 -- our own http
            if 'id="demo-progress"' not in response.read().decode():
                return
        time.sleep(2)
    raise CommandError(f"The demo alliance was not loaded within {PATIENCE_SECONDS} s.")


def log_in(page: Page, role: str) -> None:
    """Log in as a user of the demo alliance."""
    [login] = [login for login in DEMO_LOGINS if login.role == role]
    page.goto("/accounts/login/")
    page.locator("#id_login").fill(login.email)
    page.locator("#id_password").fill(login.password)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()
    if re.search(r"/accounts/login/", page.url):
        raise CommandError(f"{login.email} cannot log in: the demo alliance is not loaded there.")


def smaller(png: bytes) -> bytes:
    """Return a picture reduced to 256 colours, which are enough for our pages."""
    stream = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        stream, "PNG", optimize=True
    )
    if stream.tell() > MAX_BYTES:
        raise CommandError(f"A picture has {stream.tell():,} bytes, over {MAX_BYTES:,}.")
    return stream.getvalue()
