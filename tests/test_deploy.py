"""The files of deployment, as far as they can be tried without Docker."""

import re
import subprocess
from typing import Any

import pytest
import yaml
from django.conf import settings

from alliance.database.addresses import settings_of

COMPOSE: dict[str, Any] = yaml.safe_load((settings.BASE_DIR / "docker-compose.yml").read_text())
SCRIPTS = sorted((settings.BASE_DIR / "deploy").glob("*.sh"))


def named_in_env() -> set[str]:
    """Variables that deploy/example.env names."""
    lines = (settings.BASE_DIR / "deploy" / "example.env").read_text().splitlines()
    return {line.partition("=")[0] for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize(
    ("service", "variable"), [("web", "DATABASE_URL"), ("migrate", "OWNER_DATABASE_URL")]
)
def test_address_of_the_database_names_services_of_which_one_can_be_written_to(
    service: str, variable: str
) -> None:
    address = re.sub(r"\$\{[^}]*\}", "secret", COMPOSE["services"][service]["environment"][variable])
    found = settings_of(variable, address)
    assert set(found["HOST"].split(",")) <= set(COMPOSE["services"])
    assert found["HOST"].count(",") == 1
    assert found["OPTIONS"] == {"target_session_attrs": "read-write"}


def test_variables_without_a_default_are_named_in_the_example() -> None:
    text = (settings.BASE_DIR / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) <= named_in_env()


def test_services_wait_for_services_and_use_volumes_that_there_are() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"]), name
        volumes = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        assert {volume for volume in volumes if not volume.startswith(".")} <= set(COMPOSE["volumes"]), name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_can_be_read_by_the_shell(script: Any) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
