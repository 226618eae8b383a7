"""Become postgres, holding the lock of its data folder.

1. Take the ``flock`` of the data folder; whoever holds it is the server, so a second one waits, then gives
   up.
2. Remove a pid file: with the lock in our hands its writer is dead.
3. Drop to the unprivileged user, and ask the kernel for a fast shutdown (INT) when the supervisor dies.
4. Become postgres. The lock's descriptor is inherited by it and by its children, so that the lock is free
   only when the last of them is gone.
"""

import argparse
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from config.local.account import ServerAccount
from config.local.processes import die_with_parent, record_of

_WAITS_FOR_LOCK: Final = 20.0
_LOCK_IS_TAKEN: Final = 75


def main() -> None:
    """Read the arguments and become the server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()

    lock = locked(given.data, patience=_WAITS_FOR_LOCK)
    if lock is None:
        print(f"another server holds {given.data}", file=sys.stderr)
        sys.exit(_LOCK_IS_TAKEN)
    (given.data / "postmaster.pid").unlink(missing_ok=True)
    own = record_of(os.getpid())
    if given.record is not None and own is not None:
        own.write(given.record)
    os.set_inheritable(lock, True)
    if given.uid is not None:
        ServerAccount(uid=given.uid, gid=given.gid).become()
    die_with_parent(signal.SIGINT)
    os.umask(0o077)
    os.execv(given.command[0], given.command)


def locked(folder: Path, *, patience: float = 0.0) -> int | None:
    """Take the folder's lock and return its descriptor; None when somebody else keeps it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.05)
        else:
            return descriptor


if __name__ == "__main__":
    main()
