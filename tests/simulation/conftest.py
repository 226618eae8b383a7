from collections.abc import Iterator

import psycopg
import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.flush import Flush
from tests.servers import TestServers
from tests.simulation.stage import Stage, stage


@pytest.fixture(scope="module")
def played_on(servers: TestServers, flush: Flush, django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    """The stage of every world of a module; what it overrides ends with the module."""
    with django_db_blocker.unblock(), psycopg.connect(servers.url("postgres"), autocommit=True) as superuser:
        with stage(flush=flush, superuser=superuser, url=servers.url("holdfast_app")) as made:
            yield made
