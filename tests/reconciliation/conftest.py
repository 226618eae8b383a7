from pathlib import Path

import psycopg
import pytest
from pytest_django.fixtures import Settings

from ledger.controls.roles import Role
from tests.orders.conftest import _announced_as_published, bank, desk, fixed_clock, payouts, wallet
from tests.orders.desk import Desk
from tests.reconciliation.day import Day
from tests.reviewers import reviewer

__all__ = ["_announced_as_published", "bank", "desk", "fixed_clock", "payouts", "wallet"]


@pytest.fixture
def files(settings: Settings, tmp_path: Path) -> Path:
    settings.ARTIFACTS_ROOT = tmp_path / "closes"
    return tmp_path / "closes"


@pytest.fixture
def day(desk: Desk, files: Path, superuser_connection: psycopg.Connection) -> Day:
    """A business date with real orders; breaks are planted by the superuser with triggers off. Finance is at work."""
    for name in ("fay", "finn", "fiona", "lou"):
        reviewer(name, role=Role.FINANCE)
    superuser_connection.execute("SET session_replication_role = replica")
    return Day(desk, superuser_connection, files)
