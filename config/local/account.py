"""As whom the database runs: PostgreSQL refuses root, so root lends it an existing unprivileged user."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNPRIVILEGED: Final = "nobody"


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """An existing user without rights; it owns the data and the socket, and nothing else."""

    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give it the file or folder itself, nothing above and nothing below."""
        os.chown(path, self.uid, self.gid)

    def become(self) -> None:
        """Become this user for good."""
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)


def server_account() -> ServerAccount | None:
    """Return the account to run servers as, or None when we are not root and run them as ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid)


def run_as(
    account: ServerAccount | None, command: list[str], *, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command as the account, from the root folder, and return what it said; it may have failed."""
    environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/"}
    if account is None:
        return subprocess.run(
            command, cwd="/", env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    return subprocess.run(
        command,
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )


def can_run(account: ServerAccount | None, binary: Path) -> bool:
    """Say whether the account can run the binary, by letting it try."""
    try:
        return run_as(account, [str(binary), "--version"], timeout=20).returncode == 0
    except OSError:
        return False


def can_reach(account: ServerAccount | None, folder: Path) -> bool:
    """Say whether the account can enter the folder, by letting it try."""
    return run_as(account, ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], timeout=20).returncode == 0
