"""Become a command that ends when its supervisor ends: ``python -m config.local.child [--record F] -- …``.

With ``--record`` the process's id and start are kept in a file first, so that the next run knows it again.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from config.local.processes import die_with_parent, record_of


def main() -> None:
    """Read the arguments and become the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", type=Path)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    die_with_parent(signal.SIGTERM)
    if given.record is not None:
        own = record_of(os.getpid())
        if own is not None:
            own.write(given.record)
    os.execvp(given.command[0], given.command)


def supervised(command: list[str], *, record: Path | None = None) -> list[str]:
    """Return the command that becomes the given one, and ends when its supervisor ends."""
    kept = [] if record is None else ["--record", str(record)]
    return [sys.executable, "-m", "config.local.child", *kept, "--", *command]


if __name__ == "__main__":
    main()
