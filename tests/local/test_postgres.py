"""The embedded PostgreSQL's life: one server per data folder, whatever a hard kill left there."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from config.local import account, binaries, places
from config.local.account import ServerAccount, server_account
from config.local.places import ROOT, Places
from config.local.postgres import SUPERUSER, Postgres, PostgresFailed, RunningPostgres, initialise
from config.local.postgres_process import locked
from config.local.processes import record_of

PASSWORD = secrets.token_hex(8)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def server(folder: Path) -> Postgres:
    return _server(folder, binaries=binaries.postgres_folder(), own=server_account())


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[Postgres], RunningPostgres]]:
    started: list[RunningPostgres] = []

    def start_one(server: Postgres) -> RunningPostgres:
        initialise(server, password=PASSWORD, durable=False)
        running = RunningPostgres(server, password=PASSWORD, log=folder / "postgres.log")
        started.append(running)
        running.start()
        return running

    yield start_one
    for running in started:
        running.stop()


def test_server_answers_only_with_a_password(server: Postgres, start: Callable[[Postgres], RunningPostgres]) -> None:
    start(server)
    assert _one(server, "SELECT current_setting('server_version_num')::int / 10000") == 18
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url(user=SUPERUSER, password="wrong", database="postgres"))


def test_server_runs_without_rights_when_we_are_root(
    server: Postgres, start: Callable[[Postgres], RunningPostgres]
) -> None:
    running = start(server)
    owner = Path(f"/proc/{running.pid}").stat().st_uid
    assert owner != 0
    assert server.data.stat().st_uid == owner
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert server.socket.stat().st_mode & 0o777 == 0o700


def test_second_server_is_refused_when_the_first_holds_the_lock(
    server: Postgres, start: Callable[[Postgres], RunningPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    start(server)
    assert locked(server.data) is None
    code = "from config.local import postgres_process as p; p._WAITS_FOR_LOCK = 0.1; p.main()"
    second = subprocess.run(
        [sys.executable, "-c", code, *server.command()[3:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 75
    assert "another server holds" in second.stderr
    assert _one(server, "SELECT 1") == 1


def test_stale_pid_file_is_removed_when_the_server_was_killed(
    server: Postgres, start: Callable[[Postgres], RunningPostgres]
) -> None:
    first = start(server)
    with psycopg.connect(server.url(user=SUPERUSER, password=PASSWORD, database="postgres")) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('still here')")
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    pid_file = server.data / "postmaster.pid"
    assert pid_file.exists()
    # The worst case: the id in the stale file belongs to a process that lives and is not a server.
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    start(server)
    assert _one(server, "SELECT word FROM kept") == "still here"


def test_lock_is_free_again_when_the_server_has_stopped(
    server: Postgres, start: Callable[[Postgres], RunningPostgres]
) -> None:
    start(server).stop()
    lock = locked(server.data)
    assert lock is not None
    os.close(lock)
    assert not (server.data / "postmaster.pid").exists()


def test_server_ends_when_its_parent_is_killed(server: Postgres, start: Callable[[Postgres], RunningPostgres]) -> None:
    start(server).stop()
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys\n"
            "child = subprocess.Popen(sys.argv[1:])\n"
            "print(child.pid, flush=True)\n"
            "child.wait()\n",
            *server.command(),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    child = record_of(int(parent.stdout.readline()))
    assert child is not None
    _until(lambda: _answers(server))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: not child.is_running())


def test_cluster_is_made_anew_when_its_making_was_cut_off(
    server: Postgres, start: Callable[[Postgres], RunningPostgres]
) -> None:
    unfinished = server.data.with_name(f"{server.data.name}.unfinished")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    start(server)
    assert _one(server, "SELECT 1") == 1
    assert not unfinished.exists()


def test_server_says_why_when_it_cannot_start(
    folder: Path, server: Postgres, start: Callable[[Postgres], RunningPostgres]
) -> None:
    broken = _server(folder, binaries=server.binaries, own=server.account, settings={"shared_buffers": "nonsense"})
    with pytest.raises(PostgresFailed, match="shared_buffers"):
        start(broken)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another user")
def test_root_finds_a_refuge_when_the_clone_lies_in_a_closed_folder(
    folder: Path, start: Callable[[Postgres], RunningPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(places, "_REFUGES", folder)
    inside = Places(closed / "var")
    inside.prepare()
    own = server_account()
    home = inside.servers(own)
    assert home.parent == folder

    def only_copies(_: ServerAccount | None, binary: Path) -> bool:
        return account.can_run(own, binary) and binary.is_relative_to(home)

    monkeypatch.setattr(binaries, "can_run", only_copies)
    copied = binaries.reachable_postgres(own, refuge=home)
    assert copied.is_relative_to(home)
    start(_server(home, binaries=copied, own=own))
    assert closed.stat().st_mode & 0o777 == 0o700
    assert home.stat().st_uid == 0
    inside.remove()
    assert not home.exists()
    assert not inside.data.exists()


def _server(
    folder: Path, *, binaries: Path, own: ServerAccount | None, settings: dict[str, str] | None = None
) -> Postgres:
    socket = folder / "socket"
    socket.mkdir(mode=0o700, exist_ok=True)
    if own is not None:
        own.own(socket)
    return Postgres(
        binaries=binaries,
        data=folder / "data",
        socket=socket,
        port=5432,
        account=own,
        listen=False,
        settings={"fsync": "off", "shared_buffers": "16MB", **(settings or {})},
    )


def _one(server: Postgres, query: str) -> object:
    with psycopg.connect(server.url(user=SUPERUSER, password=PASSWORD, database="postgres")) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _answers(server: Postgres) -> bool:
    try:
        return _one(server, "SELECT 1") == 1
    except psycopg.OperationalError:
        return False


def _until(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
