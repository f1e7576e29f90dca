"""`build_assets`: what pages load, and the translations."""

import gettext
import json
import re
import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from alliance.portal import assets
from alliance.portal.woff import truetype

VENDOR = settings.BASE_DIR / "build" / "static" / "vendor"
PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Parcels"
msgstr "包裹"

#, fuzzy
msgid "Offers"
msgstr "报价"
"""


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    call_command("build_assets", verbosity=0)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose libraries are up to date, and that has one catalogue."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(settings.BASE_DIR / name, tmp_path / name)
    for name in ("static", "fonts"):
        shutil.copytree(settings.BASE_DIR / "build" / name, tmp_path / "build" / name)
    shutil.copy(settings.BASE_DIR / "build" / "icons.json", tmp_path / "build" / "icons.json")
    (tmp_path / "build" / "vendor.stamp").write_text(" ".join(assets.fingerprints(tmp_path)))
    catalogue = tmp_path / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(PO, "utf-8")
    return tmp_path


def _build(root: Path) -> list[str]:
    messages: list[str] = []
    assets.build(root, say=messages.append)
    return messages


def test_every_file_of_the_pages_is_there() -> None:
    folder = settings.BASE_DIR / "build"
    for made in assets.BUILT:
        assert (folder / made).stat().st_size > 1_000


def test_styles_have_the_classes_that_pages_put_together() -> None:
    """They are in no source as a word, so that build.mjs has to be told."""
    kept = re.search(
        r"CLASSES_PUT_TOGETHER = \[/(.*)/\]", (settings.BASE_DIR / "assets/build.mjs").read_text()
    )
    assert kept
    prefixes = {
        match
        for template in (settings.BASE_DIR / "templates").rglob("*.html")
        for match in re.findall(r'class="[^"]*?\b([a-z]+)-{[{%]', template.read_text())
    }
    assert prefixes
    assert [prefix for prefix in prefixes if not re.fullmatch(kept[1], f"{prefix}-danger")] == []
    assert ".alert-danger" in (settings.BASE_DIR / "build/static/css/public.min.css").read_text()


def test_every_typeface_of_papers_is_unpacked() -> None:
    for target in assets.PAPER_FONTS.values():
        assert (settings.BASE_DIR / "build" / "fonts" / target).read_bytes()[:4] == b"\0\1\0\0"


@pytest.mark.parametrize("content", [b"", b"wOFF", b"wOF2" + bytes(60), b"wOFF" + b"\xff" * 60])
def test_what_is_no_web_font_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        truetype(content)


def test_styles_name_only_files_that_are_served() -> None:
    for sheet in (VENDOR.parent / "css").glob("*.css"):
        text = sheet.read_text("utf-8")
        assert "sourceMappingURL" not in text
        for url in re.findall(r"url\(\s*[\"']?(?!data:)([^\"')]+)", text):
            assert (sheet.parent / url).is_file(), f"{sheet.name}: {url}"


def test_building_again_changes_nothing_and_says_so() -> None:
    before = {path: path.stat().st_mtime_ns for path in VENDOR.rglob("*") if path.is_file()}
    assert "Browser libraries are up to date." in _build(settings.BASE_DIR)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_lock_file_names_no_host_and_a_hash_for_every_package() -> None:
    packages = json.loads((settings.BASE_DIR / "package-lock.json").read_text())["packages"]
    locked_packages = {name: entry for name, entry in packages.items() if name}
    assert locked_packages
    assert not [name for name, entry in locked_packages.items() if "resolved" in entry]
    assert all(entry["integrity"].startswith("sha512-") for entry in locked_packages.values())


def test_a_missing_file_is_fetched_again(project: Path) -> None:
    (project / "build" / "static" / "css" / "portal.min.css").unlink()
    (project / "package-lock.json").write_text("{")
    with pytest.raises(assets.AssetError, match="npm ci failed"):
        _build(project)


def test_missing_lock_file_is_one_sentence(project: Path) -> None:
    (project / "package-lock.json").unlink()
    with pytest.raises(assets.AssetError, match="package-lock.json cannot be read"):
        _build(project)


def test_missing_npm_is_one_sentence(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "build" / "vendor.stamp").unlink()
    monkeypatch.setattr("sys.executable", str(project / "python"))
    with pytest.raises(assets.AssetError, match="npm is missing"):
        _build(project)


def test_catalogues_are_compiled_without_gettext_programs(project: Path) -> None:
    assert "Compiled locale/zh_Hans/LC_MESSAGES/django.po." in _build(project)
    with (project / "build" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.mo").open("rb") as stream:
        catalogue = gettext.GNUTranslations(stream)
    assert catalogue.gettext("Parcels") == "包裹"
    # A fuzzy entry is a guess of the merge; it is not shown.
    assert catalogue.gettext("Offers") == "Offers"
    assert _build(project) == ["Browser libraries are up to date."]


def test_broken_catalogue_is_named(project: Path) -> None:
    catalogue = project / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
    catalogue.write_text(PO + "\nnonsense\n", "utf-8")
    with pytest.raises(assets.AssetError, match=r"locale/zh_Hans/LC_MESSAGES/django.po is not a valid"):
        _build(project)


def test_lost_placeholder_is_named_with_its_line(project: Path) -> None:
    catalogue = project / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
    lost = '\n#, python-format\nmsgid "Welcome, %(name)s"\nmsgstr "欢迎, %(nmae)s"\n'
    catalogue.write_text(PO + lost, "utf-8")
    with pytest.raises(assets.AssetError, match=r"django.po, line \d+: .*nmae"):
        _build(project)


def test_command_turns_errors_into_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise assets.AssetError("npm is missing.")

    monkeypatch.setattr(assets, "build", fail)
    with pytest.raises(CommandError, match="npm is missing"):
        call_command("build_assets")
