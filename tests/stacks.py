"""Start the local stack's real processes in a test, on ports and in a folder of its own."""

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from config.local.account import server_account
from config.local.credentials import credentials, write_private
from config.local.places import Places
from config.local.programs import Ports
from config.local.stack import LocalStack
from tests import kept_cluster

_ANY_PORTS = Ports(web=0, sandbox=0, postgres=0, valkey=0, streams=0, venue=0)


@contextmanager
def local_stack(*, without: Collection[str] = (), settings: Mapping[str, str] | None = None) -> Iterator[LocalStack]:
    """Run the stack under its supervisor, with migrated database, pools and operator, without the short day.

    The migrations are those that a test session has kept (`tests/kept_cluster.py`), or run where none is kept.
    ``settings`` are further variables of its environment. ``stack.url`` is the web's address; ``stack.kept()`` what
    the bootstrap commands answered (the test key); ``stack.supervisor.pids()`` the processes by name;
    ``stack.superuser_url()`` the database.
    """
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        stack = LocalStack(
            folder / "var",
            without=(*without, "console_people"),  # seven passwords are hashed for several seconds
            usual=_ANY_PORTS,
            surroundings={**surroundings(), **(settings or {})},
            say=lambda _: None,
        )
        _take_kept_cluster(stack.places)
        with stack.running():
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_kept_cluster(places: Places) -> None:
    places.prepare()
    superuser = kept_cluster.superuser_password()
    if kept_cluster.copy_to(places.servers(server_account()) / "postgres", password=superuser):
        drawn = credentials(places.credentials, database_exists=False)
        its_own = {**asdict(drawn), "superuser": superuser}
        write_private(places.credentials, json.dumps(its_own))


def surroundings() -> dict[str, str]:
    """Return what a shell gives every process, and nothing that names this test session's servers."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ")}
