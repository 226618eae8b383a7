"""The embedded PostgreSQL: made once, then run in the foreground as somebody's child.

1. ``initialise`` makes the cluster beside its place and moves it there whole.
2. ``command`` is what a supervisor runs: a wrapper that takes the data folder's lock, then becomes postgres.
3. ``RunningPostgres`` starts that command itself, for those who have no supervisor.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from config.local.account import ServerAccount, run_as

SUPERUSER: Final = "postgres"
_STARTS_WITHIN: Final = 60.0
_STOPS_WITHIN: Final = 30.0

# What every embedded server is told, over what initdb wrote.
_SETTINGS: Final = {
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
    "jit": "off",
}


class PostgresFailed(RuntimeError):
    """The embedded PostgreSQL did not start; its own words are in the message."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """One embedded server: its binaries, data, socket folder, port, and the user it runs as.

    Without ``listen`` it has only its socket; the port then is a part of the socket's name.
    """

    binaries: Path
    data: Path
    socket: Path
    port: int
    account: ServerAccount | None
    listen: bool = True
    settings: dict[str, str] = field(default_factory=dict)

    def url(self, *, user: str, password: str, database: str) -> str:
        """Return the libpq URL through the socket."""
        return f"postgresql://{user}:{password}@/{database}?host={self.socket}&port={self.port}"

    def command(self, *, record: Path | None = None) -> list[str]:
        """Return the command that runs the server in the foreground, under the data folder's lock."""
        options = {
            "listen_addresses": "127.0.0.1" if self.listen else "",
            "unix_socket_directories": str(self.socket),
            "port": str(self.port),
            **_SETTINGS,
            **self.settings,
        }
        wrapper = [sys.executable, "-m", "config.local.postgres_process", "--data", str(self.data)]
        if record is not None:
            wrapper += ["--record", str(record)]
        if self.account is not None:
            wrapper += ["--uid", str(self.account.uid), "--gid", str(self.account.gid)]
        return [
            *wrapper,
            "--",
            str(self.binaries / "postgres"),
            "-D",
            str(self.data),
            *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
        ]


def initialise(server: Postgres, *, password: str, durable: bool = True) -> None:
    """Make the cluster with its superuser, unless it is there."""
    if (server.data / "PG_VERSION").exists():
        return
    unfinished = server.data.with_name(f"{server.data.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir="/tmp", prefix="hf-") as secret:
        secret.write(password)
        secret.flush()
        if server.account is not None:
            server.account.own(unfinished)
            server.account.own(Path(secret.name))
        said = run_as(
            server.account,
            [
                str(server.binaries / "initdb"),
                f"--pgdata={unfinished}",
                f"--username={SUPERUSER}",
                f"--pwfile={secret.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                *(() if durable else ("--no-sync",)),
            ],
        )
    if said.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise PostgresFailed(f"initdb failed:\n{said.stdout}{said.stderr}")
    if server.data.exists():
        server.data.rmdir()
    unfinished.rename(server.data)


def wait_until_ready(
    server: Postgres,
    *,
    password: str,
    process: subprocess.Popen[bytes] | None = None,
    log: Path | None = None,
) -> None:
    """Return when the superuser can log in; raise with the server's words when it ended or took too long."""
    deadline = time.monotonic() + _STARTS_WITHIN
    problem = "it did not answer in time"
    while time.monotonic() < deadline:
        try:
            psycopg.connect(
                server.url(user=SUPERUSER, password=password, database="postgres"), connect_timeout=2
            ).close()
        except psycopg.OperationalError as error:
            problem = str(error)
        else:
            return
        if process is not None and process.poll() is not None:
            problem = f"it ended with {process.returncode}"
            break
        time.sleep(0.03)
    words = log.read_text(errors="replace")[-4000:] if log is not None and log.exists() else ""
    raise PostgresFailed(f"PostgreSQL did not start: {problem}\n{words}")


class RunningPostgres:
    """A server that is a child of this process and ends with it, however this process ends."""

    def __init__(self, server: Postgres, *, password: str, log: Path) -> None:
        self.server = server
        self.password = password
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.server.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parent.parent.parent,
                env={"PATH": os.defpath, "LC_ALL": "C"},
            )
        try:
            wait_until_ready(self.server, password=self.password, process=self._process, log=self.log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it fast and clean; do nothing when it does not run."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(_STOPS_WITHIN)
        self._process = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None, "the server is not running"
        return self._process.pid
