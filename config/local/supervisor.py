"""The supervisor: supervisord restarts a child that dies, and stops all of them in order."""

import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from supervisor.xmlrpc import SupervisorTransport

from config.local.processes import ProcessRecord, record_of

_ANSWERS_WITHIN: Final = 20.0
_GROUP_ORDER: Final = {"servers": 10, "application": 20}


class SupervisorFailed(RuntimeError):
    """The supervisor or one of its processes did not start."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process under the supervisor.

    The group ``application`` is stopped, and has ended, before the group ``servers`` is. Inside a group a
    lower ``order`` starts earlier and is told to stop later.
    """

    name: str
    command: Sequence[str]
    order: int
    group: Literal["application", "servers"] = "application"
    stop_signal: str = "TERM"
    stop_patience: int = 15
    at_once: bool = False


class Supervisor:
    """One supervisord with its programs, reached over a socket in a private folder."""

    def __init__(self, *, folder: Path, socket: Path, logs: Path, root: Path) -> None:
        self.folder = folder
        self.socket = socket
        self.logs = logs
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, programs: Sequence[Program], *, environment: Mapping[str, str]) -> ProcessRecord:
        """Start supervisord and the programs that start at once; return its record."""
        configuration = self.folder / "supervisord.conf"
        configuration.write_text(self._configuration(programs))
        with (self.logs / "supervisord.out").open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we stop it in order.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "config.local.child",
                    "--",
                    sys.executable,
                    "-m",
                    "supervisor.supervisord",
                    "--nodaemon",
                    "--configuration",
                    str(configuration),
                ],
                cwd=self.root,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_it_answers()
        record = record_of(self._process.pid)
        if record is None:
            raise SupervisorFailed(f"supervisord ended; see {self.logs}")
        return record

    def start_programs(self, programs: Sequence[Program]) -> None:
        """Start programs without waiting for them."""
        for program in programs:
            self._call("startProcess", f"{program.group}:{program.name}", False)

    def stop_program(self, program: Program) -> None:
        """Stop one program and wait until it has ended."""
        self._call("stopProcess", f"{program.group}:{program.name}", True)

    def states(self) -> dict[str, str]:
        """Return each program's state in supervisord's words (RUNNING, STARTING, BACKOFF, FATAL, …)."""
        answer = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        return {str(info["name"]): str(info["statename"]) for info in answer}

    def pids(self) -> dict[str, int]:
        """Return the process id of each program that runs."""
        answer = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        return {str(info["name"]): int(info["pid"]) for info in answer if info["pid"]}

    def has_ended(self) -> bool:
        """Say whether supervisord itself has ended."""
        return self._process is None or self._process.poll() is not None

    def stop(self, *, patience: float) -> None:
        """Stop every program in order, then supervisord; kill it when it takes longer than ``patience``."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._process = None

    def _call(self, method: str, *arguments: object) -> object:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self.socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _ANSWERS_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._call("getState")
            except (OSError, xmlrpc.client.Error):
                time.sleep(0.03)
            else:
                return
        raise SupervisorFailed(f"supervisord did not start; see {self.logs / 'supervisord.out'}")

    def _configuration(self, programs: Sequence[Program]) -> str:
        head = f"""\
[supervisord]
logfile={_escaped(str(self.logs / "supervisord.log"))}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={_escaped(str(self.folder / "supervisord.pid"))}
directory={_escaped(str(self.root))}
umask=077

[unix_http_server]
file={_escaped(str(self.socket))}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
        groups = {program.group: _GROUP_ORDER[program.group] for program in programs}
        return head + "".join(
            [self._group(group, order, programs) for group, order in groups.items()]
            + [self._program(program) for program in programs]
        )

    def _group(self, group: str, order: int, programs: Sequence[Program]) -> str:
        members = ",".join(program.name for program in programs if program.group == group)
        return f"\n[group:{group}]\nprograms={members}\npriority={order}\n"

    def _program(self, program: Program) -> str:
        log = _escaped(str(self.logs / f"{program.name}.log"))
        return f"""
[program:{program.name}]
command={_escaped(shlex.join(program.command))}
directory={_escaped(str(self.root))}
priority={program.order}
autostart={"true" if program.at_once else "false"}
autorestart=true
startsecs=1
startretries=1000
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_patience}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""


def _escaped(value: str) -> str:
    return value.replace("%", "%%")
