"""Start the local stack's real processes in a test, on ports and in a folder of its own."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from config.local.programs import Ports
from config.local.stack import LocalStack

_ANY_PORTS = Ports(web=0, sandbox=0, postgres=0, valkey=0, streams=0, venue=0)


@contextmanager
def local_stack(*, without: Collection[str] = (), settings: Mapping[str, str] | None = None) -> Iterator[LocalStack]:
    """Run the stack under its supervisor, with migrated database, pools and operator, without the short day.

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
        with stack.running():
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def surroundings() -> dict[str, str]:
    """Return what a shell gives every process, and nothing that names this test session's servers."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ")}
