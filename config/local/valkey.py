"""The embedded Valkey: the doorbell. It keeps nothing on disk."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from config.local.child import supervised

_STARTS_WITHIN: Final = 15.0


class ValkeyFailed(RuntimeError):
    """The embedded Valkey did not start."""


@dataclass(frozen=True, slots=True)
class Valkey:
    """One embedded server on a loopback port, with a password."""

    binary: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """The redis URL."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self, *, configuration: Path, record: Path | None = None) -> list[str]:
        """Write the configuration, which holds the password, and return the command for the foreground."""
        configuration.write_text(
            "bind 127.0.0.1\n"
            f"port {self.port}\n"
            "protected-mode yes\n"
            f"requirepass {self.password}\n"
            'save ""\n'
            "appendonly no\n"
            "daemonize no\n"
            "maxmemory 256mb\n"
            "maxmemory-policy noeviction\n"
        )
        configuration.chmod(0o600)
        return supervised([str(self.binary), str(configuration)], record=record)


def wait_until_ready(url: str, *, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when the server answers."""
    deadline = time.monotonic() + _STARTS_WITHIN
    with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
        while time.monotonic() < deadline:
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(0.03)
            else:
                return
            if process is not None and process.poll() is not None:
                break
    raise ValkeyFailed("Valkey did not start")


class RunningValkey:
    """A server that is a child of this process and ends with it."""

    def __init__(self, server: Valkey, *, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it answers."""
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.server.command(configuration=self.folder / "valkey.conf"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parent.parent.parent,
                env={"PATH": os.defpath, "LC_ALL": "C"},
            )
        try:
            wait_until_ready(self.server.url, process=self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it; do nothing when it does not run."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._process = None
