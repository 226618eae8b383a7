"""Know a process again by its id and its start, and never by its name."""

import ctypes
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process's id with its start in clock ticks since this boot: together they are never reused."""

    pid: int
    started: int
    boot: str

    def is_running(self) -> bool:
        """Say whether this very process still runs (a zombie does not)."""
        return boot_id() == self.boot and _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process, if it still runs."""
        if self.is_running():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def write(self, path: Path) -> None:
        """Keep the record in a file."""
        replacement = path.with_name(f"{path.name}.{self.pid}.new")
        replacement.write_text(json.dumps({"pid": self.pid, "started": self.started, "boot": self.boot}))
        replacement.replace(path)


def record_of(pid: int) -> ProcessRecord | None:
    """Return the record of a running process."""
    started = _started(pid)
    return None if started is None else ProcessRecord(pid=pid, started=started, boot=boot_id())


def read_record(path: Path) -> ProcessRecord | None:
    """Return the record kept in a file; None when there is none or it is torn."""
    try:
        kept = json.loads(path.read_text())
        return ProcessRecord(pid=int(kept["pid"]), started=int(kept["started"]), boot=str(kept["boot"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stop(records: list[ProcessRecord], *, patience: float, first: signal.Signals = signal.SIGTERM) -> list[int]:
    """Stop the processes: ask, wait for ``patience`` seconds, then kill. Return the ids that were killed."""
    for record in records:
        record.send(first)
    deadline = time.monotonic() + patience
    while any(record.is_running() for record in records) and time.monotonic() < deadline:
        time.sleep(0.05)
    stubborn = [record for record in records if record.is_running()]
    for record in stubborn:
        record.send(signal.SIGKILL)
    return [record.pid for record in stubborn]


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children, its adopted ones too."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _stat_fields(int(folder.name))
            if fields is not None and int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send us the signal when our parent dies, however it dies."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() == 1:
        sys.exit("the parent died while this process started")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none is lost."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def boot_id() -> str:
    """Return what the kernel drew at this boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _started(pid: int) -> int | None:
    fields = _stat_fields(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _stat_fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the third (state) on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)
