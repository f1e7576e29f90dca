"""Clients that others' generators make of the schema, driven through the examples of docs/clients.md."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import LazySettings
from django.conf import settings as product
from drf_spectacular.generators import SchemaGenerator
from pytest_django.live_server_helper import LiveServer

from alliance.capabilities import KEY_SCOPES
from alliance.members.services.api_keys import create_api_key
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.exports.services.writing import write_export
from slas.models import Export
from tests.slas.helpers import offers

pytestmark = pytest.mark.usefixtures("static_root")
EXAMPLES: Final = product.BASE_DIR / "docs" / "examples"
MODULES: Final = product.BASE_DIR / "node_modules"
BIN: Final = Path(sys.executable).parent
NODE: Final = BIN / "node"
# Of one program; a generator takes a few.
PATIENCE: Final = 120
PATH: Final = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def run(*command: object, cwd: Path, **environment: str) -> str:
    """Run a program to its end; return what it said, both ways."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=os.environ | PATH | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "schema.json"
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    path.write_text(json.dumps(made, default=str))
    return path


@pytest.fixture(scope="module")
def python_client(schema: Path) -> tuple[Path, str]:
    """The folder with the package `courier_alliance`, and what its generator said."""
    folder = schema.parent
    said = run(
        BIN / "openapi-python-client", "generate",
        "--path", schema, "--output-path", folder / "courier_alliance", "--meta", "none",
        cwd=folder,
    )  # fmt: skip
    return folder, said


@pytest.fixture(scope="module")
def typescript_client(schema: Path) -> tuple[Path, str]:
    """A folder with the types, the example and the packages it imports; and what the generator said."""
    folder = schema.parent / "typescript"
    folder.mkdir()
    generator = MODULES / "openapi-typescript" / "bin" / "cli.js"
    types = folder / "courier_alliance.d.ts"
    said = run(NODE, generator, schema, "--output", types, "--default-non-nullable", "false", cwd=folder)
    (folder / "main_job.ts").write_bytes((EXAMPLES / "main_job.ts").read_bytes())
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(MODULES)
    return folder, said


def test_the_python_generator_has_nothing_to_say(python_client: tuple[Path, str]) -> None:
    folder, said = python_client
    assert said.splitlines() == [f"Generating {folder / 'courier_alliance'}"]


def test_the_typescript_generator_has_nothing_to_say(typescript_client: tuple[Path, str]) -> None:
    _folder, said = typescript_client
    lines = [line for line in said.splitlines() if line.strip()]
    assert len(lines) == 2, said
    assert lines[0].startswith("✨ openapi-typescript")
    assert lines[1].startswith("🚀")


def test_the_typescript_example_has_the_right_types(typescript_client: tuple[Path, str]) -> None:
    folder, _said = typescript_client
    (folder / "node.d.ts").write_text(NODE_TYPES)
    run(
        NODE, MODULES / "typescript" / "bin" / "tsc",
        "--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler",
        "--lib", "es2022,dom,dom.iterable", "main_job.ts", "node.d.ts",
        cwd=folder,
    )  # fmt: skip


# What the example uses of node, instead of a package of types for all of it.
NODE_TYPES: Final = """
declare module "node:fs" { export function writeFileSync(path: string, content: Uint8Array): void; }
declare const process: { env: Record<string, string | undefined>; argv: string[] };
declare const Buffer: { from(content: ArrayBuffer): Uint8Array };
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_generated_client_does_the_main_job(
    language: str,
    live_server: LiveServer,
    courier: Actor,
    merchant: Actor,
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
    settings: LazySettings,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PUBLIC_URL = live_server.url
    offers.offer(courier_organisation, hangzhou, chengdu)
    folder, _said = request.getfixturevalue(f"{language}_client")
    program: Sequence[object] = (
        (sys.executable, EXAMPLES / "main_job.py") if language == "python" else (NODE, folder / "main_job.ts")
    )
    files = tmp_path / "files"
    files.mkdir()
    keys = {"MERCHANT_KEY": _key(merchant), "COURIER_KEY": _key(courier)}
    told = {**PATH, **keys, "URL": live_server.url, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [*map(str, program), str(files)],
        cwd=folder,
        env=os.environ | told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        _write_exports_while(running)
        said = running.communicate(timeout=PATIENCE)[0]
    assert running.returncode == 0, said
    assert "2 scans accepted, 0 rejected" in said
    number = next(line.partition(":")[0] for line in said.splitlines() if ": delivered, promised" in line)
    assert (files / "label.pdf").read_bytes().startswith(b"%PDF")
    assert number in (files / "commitments.csv").read_text()


def _key(actor: Actor) -> str:
    with scope(Scope.of(actor)):
        return create_api_key(actor=actor, name="client", scopes=KEY_SCOPES & actor.capabilities)[1]


def _write_exports_while(running: subprocess.Popen[str]) -> None:
    """Do what a worker does."""
    deadline = time.monotonic() + PATIENCE
    while running.poll() is None and time.monotonic() < deadline:
        with scope(Scope.everything()):
            waiting = [*Export.objects.filter(state="queued").values_list("pk", flat=True)]
        for export_id in waiting:
            write_export(export_id=export_id)
        time.sleep(0.1)
    if running.poll() is None:
        running.kill()
