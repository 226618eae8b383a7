"""docker-compose.yml is the stack that make run starts, with real servers."""

import re
import subprocess
from typing import Any, cast

import pytest
import yaml

from config.local.places import ROOT, Places
from config.local.programs import Ports, application_programs

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return cast(dict[str, dict[str, Any]], yaml.safe_load(COMPOSE.read_text())["services"])


def test_services_are_the_processes_of_the_local_stack(services: dict[str, dict[str, Any]]) -> None:
    ports = Ports(web=1, sandbox=2, postgres=3, valkey=4, streams=5, venue=6)
    local = {program.name for program in application_programs(Places(ROOT / "var"), ports)}
    assert set(services) == local | {"postgres", "valkey", "migrate"}


def test_each_service_has_a_health_check_or_ends(services: dict[str, dict[str, Any]]) -> None:
    assert "HEALTHCHECK" in DOCKERFILE.read_text()
    for name, service in services.items():
        check: dict[str, Any] = service.get("healthcheck", {})
        if name == "web":
            assert check == {}, "web uses the image's own"
        elif name == "migrate":
            assert check == {"disable": True}
        else:
            assert check["test"][0] in ("CMD", "CMD-SHELL"), name


def test_no_process_of_ours_runs_as_root(services: dict[str, dict[str, Any]]) -> None:
    lines = DOCKERFILE.read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER holdfast"]
    assert lines.index("USER holdfast") < next(place for place, line in enumerate(lines) if line.startswith("CMD"))
    for name, service in services.items():
        if name != "postgres":  # its image steps down by itself
            assert int(service["user"].split(":")[0]) > 0, name


def test_services_start_after_the_migrations_and_only_migrate_knows_the_owner(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            assert needed in services
        if name not in ("postgres", "valkey", "migrate"):
            assert service["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        knows = "MIGRATE_DATABASE_URL" in service.get("environment", {})
        assert knows == (name == "migrate")


def test_only_loopback_ports_are_published(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_required_variable_is_in_the_example() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text()))
    example = set(re.findall(r"^(\w+)=", (ROOT / "docker" / "env.example").read_text(), re.MULTILINE))
    assert required
    assert required <= example


def test_role_script_is_a_shell_script() -> None:
    script = ROOT / "docker" / "roles.sh"
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert script.stat().st_mode & 0o111
