"""What a run leaves when it is killed: processes, their records and the private folder; what it leaves when it ends."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from config.local.places import Places
from config.local.processes import children_of, read_record, record_of, stop

_STOP_WITHIN: Final = 30.0


def stop_left(places: Places, *, ours: Path | None, say: Callable[[str], None]) -> None:
    """Stop what a killed run left: supervisord first, since it would start the others again.

    Its private folder goes too, but never `ours`, this run's own.
    """
    records = {
        path.stem: record
        for path in sorted(places.run.glob("*.process"))
        if (record := read_record(path)) is not None and record.is_running()
    }
    if records:
        say(f"  stopping what an earlier run left: {', '.join(records)}")
    for name in ("supervisord", *(name for name in records if name != "postgres"), "postgres"):
        record = records.pop(name, None)
        if record is not None:
            first = signal.SIGINT if name == "postgres" else signal.SIGTERM
            stop([record], patience=_STOP_WITHIN, first=first)
    for path in places.run.glob("*.process"):
        path.unlink()
    _remove_left_folder(places, ours=ours)


def stop_adopted() -> list[int]:
    """Stop whatever was left to this process by its descendants; return the ids that had to be killed."""
    records = [record for pid in children_of(os.getpid()) if (record := record_of(pid)) is not None]
    return stop(records, patience=5.0) if records else []


def _remove_left_folder(places: Places, *, ours: Path | None) -> None:
    """Remove the private folder that a killed run left, if it is one of ours still."""
    try:
        left = Path(json.loads(places.state.read_text())["private"])
    except (OSError, ValueError, KeyError):
        return
    named_by_us = left.parent == Path("/tmp") and left.name.startswith("hf-") and left != ours
    if named_by_us and not left.is_symlink() and left.is_dir() and left.stat().st_uid == os.geteuid():
        shutil.rmtree(left, ignore_errors=True)
