"""The kernel knows no app: what it shows of them, they register."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from alliance.choices import Capability

# "parcels_scan", "slas.Excuse.note", "couriers:facility_list", or an app's bare name.
NAMES = re.compile(r"\A(?:couriers|slas|parcels)\Z|\b(?:couriers|slas|parcels)[._:]\w+")
# Which apps there are, where their addresses begin, and what unfold and the API's schema import by name.
WIRING = {"alliance/settings.py", "alliance/urls.py", "alliance/api/urls.py"}
# Scopes of API keys, one of which is called as an app is.
WIRING |= {"alliance/key_scopes.py"}


def names_of_apps(source: str) -> Iterator[str]:
    """Find every text of a module that names an app's table, model, page or module; docstrings may."""
    tree = ast.parse(source)
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in prose:
            continue
        # Scopes of API keys look like names of pages.
        if NAMES.search(node.value) and node.value not in Capability.values:
            yield node.value


def test_names_of_apps_are_found() -> None:
    assert list(names_of_apps('x = "SELECT 1 FROM parcels_scan"')) == ["SELECT 1 FROM parcels_scan"]
    assert list(names_of_apps('x = f"slas.Excuse.{column}"')) == ["slas.Excuse."]
    assert list(names_of_apps('get_model("parcels", "Parcel")')) == ["parcels"]
    assert list(names_of_apps('reverse("couriers:facility_list")')) == ["couriers:facility_list"]
    assert (
        list(names_of_apps('"""See `slas.commitments.sql`."""\nx = ("parcels:read", "cancel parcels")')) == []
    )


def test_no_module_of_the_kernel_names_an_app() -> None:
    root = Path(settings.BASE_DIR)
    violations = {
        path: names
        for file in sorted((root / "alliance").rglob("*.py"))
        if (path := str(file.relative_to(root))) not in WIRING
        and (names := list(names_of_apps(file.read_text())))
    }
    assert violations == {}
