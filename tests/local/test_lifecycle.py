"""The local stack's life: what dies is started again, and what was killed hard leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.local.places import ROOT
from config.local.processes import ProcessRecord, children_of, read_record, record_of
from config.local.programs import Ports
from config.local.stack import AlreadyRunning, LocalStack
from tests.stacks import surroundings

pytestmark = pytest.mark.processes

ANY_PORTS = Ports(web=0, sandbox=0, postgres=0, valkey=0, streams=0, venue=0)


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder / "var"
    shutil.rmtree(folder)


def test_stack_runs_heals_and_leaves_nothing(data: Path) -> None:
    said: list[str] = []
    stack = LocalStack(data, usual=ANY_PORTS, surroundings=surroundings(), without=["console_people"], say=said.append)
    with stack.running():
        before = stack.supervisor.pids()
        assert set(before) == {"postgres", "valkey", "web", "worker", "beat", "relay", "sandbox", "venue", "streams"}
        assert _ready(stack.url)["redis"] == "ok"

        with pytest.raises(AlreadyRunning):
            LocalStack(data, usual=ANY_PORTS, surroundings=surroundings(), say=said.append).take_over()

        for name in ("postgres", "web", "worker"):
            _kill_and_see_it_again(data, name)
        _until(lambda: _answers(stack.url))

        private = stack.places.environment.stat()
        assert private.st_mode & 0o077 == 0
        folder = Path(json.loads(stack.places.state.read_text())["private"])
        records = _records(data)
    assert records
    assert not any(record.is_running() for record in records)
    assert not folder.exists()
    assert not list(data.glob("run/*.process"))


def test_nothing_is_left_when_make_run_is_killed_hard_and_the_next_one_recovers(data: Path) -> None:
    first = _start_command(data)
    records = _records(data)
    assert len(records) >= 7
    first.kill()
    first.wait()
    supervisor = _record(data, "supervisord")
    supervisor.send(signal.SIGKILL)  # nobody is left to stop anything in order

    second = _start_command(data)
    assert not any(record.is_running() for record in records)
    records = _records(data)
    assert len(records) >= 7
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 0
    assert not any(record.is_running() for record in records)


def _start_command(data: Path) -> subprocess.Popen[bytes]:
    with (data.parent / "out").open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "config.local",
                "--data",
                str(data),
                "run",
                "--no-day",
                "--without",
                "console_people",
            ],
            cwd=ROOT,
            env=surroundings(),
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        _until(lambda: b"Ctrl-C stops" in (data.parent / "out").read_bytes(), seconds=90)
    except BaseException:
        process.terminate()
        process.wait(60)
        print((data.parent / "out").read_text())
        raise
    return process


def _records(data: Path) -> list[ProcessRecord]:
    return [record for path in data.glob("run/*.process") if (record := read_record(path)) is not None]


def _record(data: Path, name: str) -> ProcessRecord:
    record = read_record(data / "run" / f"{name}.process")
    assert record is not None
    return record


def _kill_and_see_it_again(data: Path, name: str) -> None:
    """Kill a program's main process hard: its helpers end with it, and the supervisor starts it anew."""
    killed = _record(data, name)
    _until(lambda: bool(children_of(killed.pid)))
    helpers = [record for pid in children_of(killed.pid) if (record := record_of(pid)) is not None]
    assert helpers
    os.kill(killed.pid, signal.SIGKILL)
    _until(lambda: not any(helper.is_running() for helper in helpers))
    _until(lambda: _runs_anew(data, name, killed))


def _runs_anew(data: Path, name: str, old: ProcessRecord) -> bool:
    record = read_record(data / "run" / f"{name}.process")
    return record is not None and record != old and record.is_running()


def _ready(url: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
        body: dict[str, str] = json.loads(answer.read())
    return body


def _answers(url: str) -> bool:
    try:
        return _ready(url)["status"] == "ok"
    except OSError:
        return False


def _until(holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
