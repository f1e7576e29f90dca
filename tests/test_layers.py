"""The rules and the SQL of a subject import no database, queue or cache, nor modules that use them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.helpers.sources import PACKAGES, modules

LIBRARIES = {"celery", "redis"}
ROOMS = {"models", "querysets", "queries", "services"}


def forbidden_imports(source: str) -> set[str]:
    """The imports that rules and SQL may not have. What only a type checker reads is not one."""
    return {name for name in _imported(ast.parse(source)) if _is_forbidden(name)}


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A name may be a module: from slas.offers import services.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from _imported(node)


def _is_forbidden(name: str) -> bool:
    first, *rest = name.split(".")
    return first in LIBRARIES or f"{name}.".startswith("django.db.") or not ROOMS.isdisjoint(rest)


def rules_and_sql() -> Iterator[Path]:
    """The files of subjects: an app's folder, a subject's folder, the file."""
    for package in PACKAGES:
        for path in modules(package):
            if path.name in ("rules.py", "sql.py") and path.parent.parent.name == package:
                yield path


def test_rules_and_sql_import_no_database_and_nothing_above_them() -> None:
    paths = list(rules_and_sql())
    wrong = {
        str(path.relative_to(settings.BASE_DIR)): names
        for path in paths
        if (names := forbidden_imports(path.read_text()))
    }
    assert not wrong
    assert {"slas/promises/rules.py", "parcels/scans/sql.py"} <= {
        str(path.relative_to(settings.BASE_DIR)) for path in paths
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from django.db import models", {"django.db.models"}),
        ("import django.db", {"django.db"}),
        ("import redis", {"redis"}),
        ("from celery import shared_task", {"celery.shared_task"}),
        ("from slas.offers.models import Offer", {"slas.offers.models.Offer"}),
        ("from slas.offers import services as offers", {"slas.offers.services"}),
        ("from slas.offers.services.capacity import Slot", {"slas.offers.services.capacity.Slot"}),
        ("def late():\n    from slas.rates import queries", {"slas.rates.queries"}),
        ("from slas.choices import Outcome\nfrom django.utils import timezone", set()),
        ("if TYPE_CHECKING:\n    from alliance.models import City", set()),
    ],
)
def test_forbidden_imports_are_found_wherever_they_stand(source: str, expected: set[str]) -> None:
    assert forbidden_imports(source) == expected
