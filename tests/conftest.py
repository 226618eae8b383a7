"""What every test stands on: embedded servers, three roles, committed transactions, and a flush after.

A test that touches the database asks for ``database``, or its module says
``pytestmark = pytest.mark.usefixtures("database")``. pytest-django's own database fixtures are not used: they
wrap a test in a transaction, which hides locks, triggers and ``SKIP LOCKED``.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import django
import psycopg
import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests import parts, static_files
from tests.loopback import only_loopback
from tests.servers import TestServers

# Before anything reads the settings, and without what the surrounding shell says.
_SERVERS = TestServers()
for _name in (
    "OUTBOUND_ALLOW",
    "STATIC_MANIFEST",
    "DEBUG",
    "ALLOWED_HOSTS",
    "CLOSE_ZONE",
    "CLOSE_GRACE",
    "CLOSE_SIGNED_WITHIN",
):
    os.environ.pop(_name, None)
os.environ.update(_SERVERS.environment())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()  # the conftests of folders below import models

from tests.flush import Flush  # noqa: E402
from tests.sandbox import RunningSandbox, allowed, start_sandbox  # noqa: E402
from tests.threads import run_threads as _run_threads  # noqa: E402


def pytest_configure() -> None:
    """Have the settings read now, so that pytest-django sets Django up; refuse any other database."""
    from django.conf import settings

    from webhooks import delivery

    if settings.DATABASES["default"]["HOST"] != str(_SERVERS.folder / "socket"):
        pytest.exit("the settings were read before the tests could name their own servers", returncode=4)
    static_files.list_once()
    settings.DOORBELL = "ledger.controls.bell.SilentBell"
    delivery._PATIENCE_SECONDS = 30.0  # type: ignore[misc]  # on a busy machine a quick receiver may look silent
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a person in a millisecond


@pytest.hookimpl(trylast=True)  # of what the marks have left
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the files of this process's part, where it is one of several (`tests/parts.py`)."""
    text = os.environ.get(parts.VARIABLE, "")
    if not text:
        return
    mine = parts.files_of(*parts.of_variable(text), [item.location[0] for item in items])
    left_out = [item for item in items if item.location[0] not in mine]
    items[:] = [item for item in items if item.location[0] in mine]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session", autouse=True)
def _no_socket_to_the_outside() -> Iterator[None]:
    with only_loopback():
        yield


@pytest.fixture(scope="session")
def servers() -> TestServers:
    """The session's embedded servers; ``servers.postgres`` and ``servers.valkey`` start them."""
    return _SERVERS


@pytest.fixture(scope="session")
def django_db_setup(servers: TestServers, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Start PostgreSQL with the database that the tests stand on."""
    from django.db import connection

    from tests.migrated import migrate

    with django_db_blocker.unblock():
        migrate(servers)
    yield
    with django_db_blocker.unblock():
        connection.close()
    servers.stop()


@pytest.fixture(scope="session")
def valkey(servers: TestServers) -> str:
    """The URL of the session's Valkey, running. Without this fixture nobody answers at REDIS_URL."""
    return servers.valkey.server.url


@pytest.fixture(scope="session")
def flush(servers: TestServers, django_db_setup: None) -> Iterator[Flush]:
    with psycopg.connect(servers.url("postgres"), autocommit=True) as connection:
        yield Flush(connection)


@pytest.fixture
def database(flush: Flush, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let the test use the database as the application, with committed transactions; flush afterwards."""
    from tests.kept_connection import keep_or_close
    from webhooks.left_lanes import left

    with django_db_blocker.unblock():
        try:
            yield
        finally:
            assert left.wait(seconds=20), "deliveries are still on their way"
            keep_or_close()
            flush()


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox of this test's own, which outbound calls of the test environment may reach."""
    running = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    try:
        with allowed(running):
            yield running
    finally:
        running.stop()


@pytest.fixture
def superuser_connection(servers: TestServers, database: None) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection of the superuser, in autocommit."""
    with psycopg.connect(servers.url("postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner_connection(servers: TestServers, database: None) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection of the tables' owner, in autocommit."""
    with psycopg.connect(servers.url("holdfast_owner"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def application_connection(servers: TestServers, database: None) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection of the application beside Django's, in autocommit."""
    with psycopg.connect(servers.url("holdfast_app"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def run_threads(database: None) -> Callable[..., Sequence[Any]]:
    """``run_threads(*callables, timeout=30)``: results or exceptions, in order; see tests/threads.py."""
    return _run_threads
