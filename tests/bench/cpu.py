"""What processor time each program of the local stack takes while something runs: what a rate costs, and who bears it."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

from config.local.processes import read_record
from config.local.stack import LocalStack

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Spent:
    """Seconds by program since it was made; a program's children count with it, and this process is *clients*."""

    def __init__(self, stack: LocalStack) -> None:
        self._run = stack.places.run
        self._before = self._seconds()

    def so_far(self) -> dict[str, float]:
        """Return the seconds that each program took, the dearest first."""
        now = self._seconds()
        spent = {name: now[name] - self._before.get(name, 0.0) for name in now}
        return dict(sorted(spent.items(), key=lambda one: -one[1]))

    def in_words(self, *, each: int) -> str:
        """Say how many milliseconds of processor time each of so many pieces of work took, program by program."""
        spent = self.so_far()
        parts = [
            f"{name} {seconds * 1000 / each:.1f}" for name, seconds in spent.items() if seconds * 1000 / each >= 0.1
        ]
        return f"{sum(spent.values()) * 1000 / each:.1f} ms of CPU each: {', '.join(parts)}"

    def _seconds(self) -> dict[str, float]:
        parents, own = _processes()
        roots = {
            record.pid: path.stem
            for path in self._run.glob("*.process")
            if (record := read_record(path)) is not None and record.pid in parents
        }
        roots[os.getpid()] = "clients"
        seconds: dict[str, float] = defaultdict(float)
        for pid, taken in own.items():
            above = pid
            while above not in roots and above in parents:
                above = parents[above]
            if above in roots:
                seconds[roots[above]] += taken
        return seconds


def _processes() -> tuple[dict[int, int], dict[int, float]]:
    """Return each process's parent and its seconds of processor time."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        seconds[pid] = (
            sum(int(field) for field in fields[11:15]) / _TICKS
        )  # its own, and of its children that have ended
    return parents, seconds
