"""What the screenshots say when they cannot be taken, and how small they are."""

import sys
from io import BytesIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from alliance.management.commands import screenshots


@pytest.fixture
def _chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", sys.executable)


def test_missing_playwright_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(CommandError, match=r"requirements-dev\.lock"):
        call_command("screenshots")


def test_missing_chromium_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CommandError, match="apt-get install chromium"):
        call_command("screenshots")


@pytest.mark.usefixtures("_chromium")
def test_unknown_pictures_are_refused_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match="There are: landing, "):
        call_command("screenshots", only="sunset")


@pytest.mark.usefixtures("_chromium")
def test_product_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Nothing answers at http://127.0.0.1:9"):
        call_command("screenshots", url="http://127.0.0.1:9/", folder=tmp_path)


def test_pictures_are_kept_small() -> None:
    original = BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((1280, 800)).save(original, "PNG")
    assert len(screenshots.smaller(original.getvalue())) < screenshots.MAX_BYTES
    noise = BytesIO()
    Image.effect_noise((1280, 800), 90).convert("RGB").save(noise, "PNG")
    with pytest.raises(CommandError, match="A picture has"):
        screenshots.smaller(noise.getvalue())
