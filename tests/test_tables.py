"""Which package's SQL names which tables: its own, and those of packages that it may import."""

import ast
import re
from pathlib import Path

from django.apps import apps
from django.conf import settings

from tests.helpers.sources import modules

# Each imports from those after it.
ORDER = ("parcels", "slas", "couriers", "alliance")
TABLES = {
    model._meta.db_table: model._meta.app_label
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in ORDER
}


def tables_named_in(path: Path) -> set[str]:
    """The tables that strings of a module name, whatever they are for."""
    strings = (
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {word for string in strings for word in re.findall(r"\w+", string) if word in TABLES}


def test_sql_names_tables_of_its_own_package_and_those_it_imports() -> None:
    others = {
        str(path.relative_to(settings.BASE_DIR)): tables
        for package in ORDER
        for path in modules(package)
        if (tables := {table for table in tables_named_in(path) if is_left_of(TABLES[table], package)})
    }
    assert others == {}


def is_left_of(one: str, other: str) -> bool:
    return ORDER.index(one) < ORDER.index(other)
