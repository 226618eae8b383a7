"""Where the local stack keeps its things: in the clone's ignored folder, and in a short private one."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.local.account import ServerAccount, can_reach

ROOT: Final = Path(__file__).resolve().parent.parent.parent
USUAL_DATA: Final = ROOT / "var"
_REFUGES: Final = Path("/var/lib")


class NotOurs(RuntimeError):
    """A folder that we would use belongs to somebody else."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one local stack."""

    data: Path

    def prepare(self) -> None:
        """Make the folders. The data folder can be passed through, so that the database reaches its own."""
        self.data.mkdir(mode=0o711, exist_ok=True)
        self.data.chmod(0o711)
        for folder in (self.logs, self.run, self.sandbox, self.closes):
            folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.data / "logs"

    @property
    def run(self) -> Path:
        """Process records and generated configurations."""
        return self.data / "run"

    @property
    def sandbox(self) -> Path:
        """What the sandbox's counterparties remember."""
        return self.data / "sandbox"

    @property
    def closes(self) -> Path:
        """The artifacts of the closes."""
        return self.data / "closes"

    @property
    def lock(self) -> Path:
        """Held by the running ``make run``."""
        return self.data / "lock"

    @property
    def credentials(self) -> Path:
        """Secrets that are never printed."""
        return self.data / "credentials.json"

    @property
    def environment(self) -> Path:
        """What the processes read, for a shell: ``set -a; . var/env; set +a``."""
        return self.data / "env"

    @property
    def kept(self) -> Path:
        """What the bootstrap commands answered: the test key, and each role's user and password."""
        return self.data / "kept.json"

    @property
    def loaded(self) -> Path:
        """The fingerprint of what the database was last brought up with."""
        return self.data / "loaded"

    @property
    def state(self) -> Path:
        """Ports and private folder of the present run."""
        return self.run / "state.json"

    def refuge(self) -> Path:
        """Where root keeps what the database's user must reach when the clone lies in a closed folder."""
        name = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
        return _REFUGES / f"holdfast-{name}"

    def servers(self, account: ServerAccount | None) -> Path:
        """Return the folder for the database's data, and for binaries if they must be copied."""
        if account is None or can_reach(account, self.data):
            return self.data
        refuge = self.refuge()
        refuge.mkdir(mode=0o711, exist_ok=True)
        if refuge.is_symlink() or refuge.stat().st_uid != os.geteuid():
            raise NotOurs(f"{refuge} belongs to somebody else")
        return refuge

    def remove(self) -> None:
        """Delete everything that the local stack keeps."""
        shutil.rmtree(self.data, ignore_errors=True)
        refuge = self.refuge()
        if os.geteuid() == 0 and refuge.is_dir() and not refuge.is_symlink():
            shutil.rmtree(refuge)


def private_folder() -> Path:
    """Make a short folder that others may pass through and not list; a socket's path has 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    folder.chmod(0o711)
    return folder
