"""The life cycle of the local stack.

1. Take the clone's lock, and stop what a killed run left behind.
2. Choose ports, make the private folder, and draw the secrets.
3. Make the database cluster if there is none.
4. Start the supervisor with PostgreSQL and Valkey.
5. Make the roles and the database; migrate as the owner; load what the application needs.
6. Start the web and wait until it answers that it is ready; start the other processes.
7. At the end stop everything in order; whoever is left by then is stopped by its own id.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

from config.local import binaries, leftovers, postgres, readiness, roles, valkey
from config.local.account import server_account
from config.local.credentials import Credentials, credentials, write_private
from config.local.fingerprint import fingerprint
from config.local.kept import read_kept
from config.local.outside import Outside
from config.local.places import ROOT, Places, private_folder
from config.local.ports import PortReservation
from config.local.programs import Ports, application_programs, record_path
from config.local.shell import exports
from config.local.supervisor import Program, Supervisor

USUAL_PORTS: Final = Ports(web=8000, sandbox=8100, postgres=54329, valkey=63799, streams=8001, venue=8101)
_STOPS_WITHIN: Final = 90.0

# They start alone, so that on two cores the web answers early; the others follow.
_FIRST: Final = ("web", "sandbox", "venue")

# Settings of a real installation that a shell around us may have set, and that would mislead the local stack.
_NOT_FROM_THE_SHELL: Final = ("CSRF_TRUSTED_ORIGINS", "STATIC_MANIFEST", "METRICS_TOKEN", "DEBUG")


class AlreadyRunning(RuntimeError):
    """The stack of this clone runs already."""


class StepFailed(RuntimeError):
    """A step of the start ended with an error; its words are above."""


class LocalStack:
    """One clone's stack. ``without`` names programs and steps to leave out: ``valkey``, ``console_people``."""

    def __init__(
        self,
        data: Path,
        *,
        without: Collection[str] = (),
        outside: Outside | None = None,
        usual: Ports = USUAL_PORTS,
        surroundings: Mapping[str, str] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.places = Places(data.absolute())
        self.without = frozenset(without)
        self.outside = outside or Outside()
        self._usual = usual
        self._surroundings = dict(os.environ if surroundings is None else surroundings)
        self._say = say
        self._reservation = PortReservation()
        self._lock: IO[str] | None = None
        self._private: Path | None = None
        self._supervisor: Supervisor | None = None
        self._postgres: postgres.Postgres | None = None
        self._credentials: Credentials | None = None
        self.ports = usual
        self.environment: dict[str, str] = {}

    # --- the way up --------------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Take the lock, stop leftovers, choose ports, draw secrets. Raises AlreadyRunning."""
        self.places.prepare()
        self._lock = self.places.lock.open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise AlreadyRunning from None
        leftovers.stop_left(self.places, ours=self._private, say=self._say)
        self._private = private_folder()
        self._choose_ports()

    def start_servers(self) -> None:
        """Make the cluster if need be; start the supervisor with PostgreSQL and Valkey; make the roles."""
        account = server_account()
        home = self.places.servers(account)
        data = home / "postgres"
        if not (data / "PG_VERSION").exists():
            self.places.loaded.unlink(missing_ok=True)
        self._credentials = credentials(self.places.credentials, database_exists=(data / "PG_VERSION").exists())
        programs: list[Program] = []
        if not self.outside.database_url:
            programs.append(self._postgres_program(home, data))
        if not self.outside.redis_url and "valkey" not in self.without:
            programs.append(self._valkey_program())
        own = self._environment()
        write_private(self.places.environment, exports(own))
        inherited = {k: v for k, v in self._surroundings.items() if k not in _NOT_FROM_THE_SHELL}
        self.environment = {**inherited, **own}
        self._supervisor = Supervisor(
            folder=self.places.run, socket=self._folder / "supervisor.sock", logs=self.places.logs, root=ROOT
        )
        programs += self._application_programs()
        record = self._supervisor.start(programs, environment=self.environment)
        record.write(record_path(self.places, "supervisord"))
        self._write_state()
        if self._postgres is not None:
            secret = self._credentials.superuser
            postgres.wait_until_ready(self._postgres, password=secret, log=self.places.logs / "postgres.log")
            roles.prepare(
                self._postgres.url(user=postgres.SUPERUSER, password=secret, database="postgres"),
                self._credentials.roles,
            )

    def load(self) -> None:
        """Migrate and load reference rows as the owner; make the sandbox's operator and the console's people.

        All of it is skipped when the sources, the packages and the addresses are those of the last time.
        """
        wanted = fingerprint(besides=(self.url, self.environment["SANDBOX_URL"], self.environment["SANDBOX_VENUE_URL"]))
        if self._postgres is not None and _text_of(self.places.loaded) == wanted:
            self._say("  as the last time: nothing to migrate and nothing to load")
            return
        self.places.loaded.unlink(missing_ok=True)
        self._run([sys.executable, "-m", "config.migrate"])
        self._bootstrap("before-web")
        self.places.loaded.write_text(wanted)

    def start_processes(self) -> None:
        """Start the web, wait until it answers that it is ready, and start the others."""
        programs = self._application_programs()
        first = [program for program in programs if program.name in _FIRST]
        self.supervisor.start_programs(first)
        readiness.wait_for_web(self.supervisor, self.url)
        self.supervisor.start_programs([program for program in programs if program not in first])
        readiness.wait_for_the_others(self.supervisor, say=self._say)

    def finish(self, *, with_day: bool) -> None:
        """Play the short day, unless it was played, and ask for each role's one-time code of this moment."""
        self._bootstrap(*(("after-web",) if with_day else ()), "codes")

    # --- what it is --------------------------------------------------------------------------------------

    @property
    def supervisor(self) -> Supervisor:
        """The running supervisor."""
        assert self._supervisor is not None, "the stack is not running"
        return self._supervisor

    @property
    def is_up(self) -> bool:
        """Whether there is something to stop."""
        return self._supervisor is not None

    @property
    def url(self) -> str:
        """Where the web answers."""
        return f"http://127.0.0.1:{self.ports.web}"

    def kept(self) -> dict[str, Any]:
        """Return what the bootstrap commands answered."""
        return read_kept(self.places.kept)

    def superuser_url(self) -> str:
        """Return the superuser's libpq URL of the application's database."""
        assert self._postgres is not None
        assert self._credentials is not None
        return self._postgres.url(
            user=postgres.SUPERUSER, password=self._credentials.superuser, database=roles.DATABASE
        )

    def answer_of(self, *command: str) -> str:
        """Run a management command with the stack's environment and return what it printed."""
        said = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if said.returncode != 0:
            raise StepFailed(f"manage.py {command[0]} failed:\n{said.stdout}{said.stderr}")
        return said.stdout

    # --- the way down ------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop everything in order, and leave no process, socket or lock behind."""
        if self._supervisor is not None:
            self._supervisor.stop(patience=_STOPS_WITHIN)
            self._supervisor = None
        if self._lock is not None:
            leftovers.stop_left(self.places, ours=self._private, say=self._say)
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = None
        self._reservation.release()
        if self._lock is not None:
            self.places.state.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    @contextmanager
    def running(self) -> Iterator["LocalStack"]:
        """Start servers and processes without playing the day; stop at the end."""
        try:
            self.take_over()
            self.start_servers()
            self.load()
            self.start_processes()
            yield self
        finally:
            self.stop()

    # --- parts -------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        assert self._private is not None
        return self._private

    def _choose_ports(self) -> None:
        chosen: dict[str, int] = {}
        for name, usual in asdict(self._usual).items():
            chosen[name] = self._reservation.choose(usual)
            if chosen[name] != usual and usual != 0:
                self._say(f"  port {usual} is taken: {name} listens on {chosen[name]} instead")
        self.ports = Ports(**chosen)

    def _postgres_program(self, home: Path, data: Path) -> Program:
        assert self._credentials is not None
        account = server_account()
        socket = self._folder / "postgres"
        socket.mkdir(mode=0o700)
        if account is not None:
            account.own(socket)
        self._postgres = postgres.Postgres(
            binaries=binaries.reachable_postgres(account, refuge=home),
            data=data,
            socket=socket,
            port=self.ports.postgres,
            account=account,
        )
        postgres.initialise(self._postgres, password=self._credentials.superuser)
        return Program(
            name="postgres",
            command=self._postgres.command(record=record_path(self.places, "postgres")),
            order=10,
            group="servers",
            stop_signal="INT",
            stop_patience=30,
            at_once=True,
        )

    def _valkey_program(self) -> Program:
        assert self._credentials is not None
        server = valkey.Valkey(
            binary=binaries.valkey_server(), port=self.ports.valkey, password=self._credentials.valkey
        )
        return Program(
            name="valkey",
            command=server.command(
                configuration=self.places.run / "valkey.conf", record=record_path(self.places, "valkey")
            ),
            order=20,
            group="servers",
            at_once=True,
        )

    def _application_programs(self) -> list[Program]:
        programs = application_programs(self.places, self.ports)
        return [program for program in programs if program.name not in self.without]

    def _environment(self) -> dict[str, str]:
        """Return the settings of the stack's processes; what they inherit from the shell is not among them."""
        assert self._credentials is not None
        redis = f"redis://:{self._credentials.valkey}@127.0.0.1:{self.ports.valkey}/0"
        allowed = (f"127.0.0.1:{self.ports.sandbox}", f"127.0.0.1:{self.ports.venue}", self.outside.receivers)
        return {
            "PYTHONUNBUFFERED": "1",
            "HOLDFAST_LOCAL": "1",
            "HOLDFAST_URL": self.url,
            "HOLDFAST_KEPT": str(self.places.kept),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": self._credentials.secret_key,
            "SECRETS_KEYS": self._credentials.secrets_key,
            "DATABASE_URL": self.outside.database_url or self._role_url(roles.APPLICATION),
            "MIGRATE_DATABASE_URL": self.outside.migrate_database_url or self._role_url(roles.OWNER),
            "APP_DATABASE_ROLE": self.outside.application_role or roles.APPLICATION,
            "REDIS_URL": self.outside.redis_url or redis,
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "HTTPS_ONLY": "false",
            "ARTIFACTS_ROOT": str(self.places.closes),
            "RATE_SOURCE": "wallets.fixed_rates.FixedRates",
            "SANDBOX_URL": f"http://127.0.0.1:{self.ports.sandbox}",
            "SANDBOX_VENUE_URL": f"http://127.0.0.1:{self.ports.venue}",
            "OUTBOUND_ALLOW": ",".join(filter(None, allowed)),
        }

    def _role_url(self, role: str) -> str:
        assert self._postgres is not None
        assert self._credentials is not None
        passwords = {
            roles.OWNER: self._credentials.owner,
            roles.APPLICATION: self._credentials.application,
        }
        return self._postgres.url(user=role, password=passwords[role], database=roles.DATABASE)

    def _write_state(self) -> None:
        state = {"ports": asdict(self.ports), "private": str(self._folder), "process": os.getpid()}
        self.places.state.write_text(json.dumps(state))

    def _bootstrap(self, *phases: str) -> None:
        self._run(
            [
                *(sys.executable, "-m", "config.local.bootstrap", *phases, "--kept", str(self.places.kept)),
                *(part for name in sorted(self.without) for part in ("--without", name)),
            ],
        )

    def _run(self, command: list[str]) -> None:
        said = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, "LOG_LEVEL": "WARNING", "LOG_FORMAT": "console"},
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if said.returncode != 0:
            raise StepFailed(f"{' '.join(command[1:4])} ended with {said.returncode}")


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
