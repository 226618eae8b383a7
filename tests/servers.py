"""The servers of one test session: an embedded PostgreSQL with the three roles, and an embedded Valkey.

Their addresses are decided before Django reads its settings; they start when the first test asks for them.
"""

import atexit
import os
import secrets
import shutil
import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import Final

from config.local import binaries, postgres, roles, valkey
from config.local.account import server_account
from config.local.ports import free_port
from config.local.postgres_process import locked
from tests import kept_cluster

_PREFIX: Final = "hf-test-"
_TMP: Final = Path("/tmp")
_SETTLED_AFTER: Final = 60.0


class TestServers:
    """One private folder with both servers; it goes when the session ends."""

    __test__ = False

    def __init__(self) -> None:
        _remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_TMP))
        self._lock = locked(self.folder)
        self.folder.chmod(0o711)
        self._account = server_account()
        self.passwords = roles.RolePasswords(
            superuser=kept_cluster.superuser_password(), owner=secrets.token_hex(12), application=secrets.token_hex(12)
        )
        (self.folder / "socket").mkdir(mode=0o700)
        self.is_migrated = False
        self.valkey_port = free_port()
        self.valkey_password = secrets.token_hex(12)
        atexit.register(self.stop)

    def environment(self) -> dict[str, str]:
        """Return what the settings read, for this process and the ones that tests start."""
        return {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": "a key for tests alone, long enough to be accepted",
            "SECRETS_KEYS": "YS1rZXktZm9yLXRlc3RzLW9mLXRoaXJ0eS0yLWJ5dGU",
            "DATABASE_URL": self.url(roles.APPLICATION),
            "MIGRATE_DATABASE_URL": self.url(roles.OWNER),
            "APP_DATABASE_ROLE": roles.APPLICATION,
            "REDIS_URL": f"redis://:{self.valkey_password}@127.0.0.1:{self.valkey_port}/0",
            "HTTPS_ONLY": "false",
            "ARTIFACTS_ROOT": str(self.folder / "closes"),
            "LOG_FORMAT": "console",
            "LOG_LEVEL": "WARNING",
        }

    def url(self, role: str) -> str:
        """Return the libpq URL of a role."""
        password = {
            postgres.SUPERUSER: self.passwords.superuser,
            roles.OWNER: self.passwords.owner,
            roles.APPLICATION: self.passwords.application,
        }[role]
        host = self.folder / "socket"
        return f"postgresql://{role}:{password}@/{roles.DATABASE}?host={host}&port=5432"

    @cached_property
    def postgres(self) -> postgres.RunningPostgres:
        """The running PostgreSQL, without durability, with roles and an empty database."""
        server = postgres.Postgres(
            binaries=binaries.reachable_postgres(self._account, refuge=self.folder),
            data=self.folder / "data",
            socket=self.folder / "socket",
            port=5432,
            account=self._account,
            listen=False,
            settings={
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "wal_level": "minimal",
                "max_wal_senders": "0",
                "autovacuum": "off",
            },
        )
        if self._account is not None:
            self._account.own(server.socket)
        self.is_migrated = kept_cluster.copy_to(server.data, password=self.passwords.superuser)
        postgres.initialise(server, password=self.passwords.superuser, durable=False)
        running = postgres.RunningPostgres(server, password=self.passwords.superuser, log=self.folder / "postgres.log")
        running.start()
        roles.prepare(
            server.url(user=postgres.SUPERUSER, password=self.passwords.superuser, database="postgres"),
            self.passwords,
        )
        return running

    def keep(self) -> None:
        """Keep the cluster, migrated, for the next session; it is stopped for a moment, and nobody may be connected."""
        self.postgres.stop()
        kept_cluster.keep(self.postgres.server.data, password=self.passwords.superuser)
        self.postgres.start()

    @cached_property
    def valkey(self) -> valkey.RunningValkey:
        """The running Valkey."""
        running = valkey.RunningValkey(
            valkey.Valkey(binary=binaries.valkey_server(), port=self.valkey_port, password=self.valkey_password),
            folder=self.folder,
        )
        running.start()
        return running

    def stop(self) -> None:
        """Stop what was started and remove the folder."""
        for name in ("valkey", "postgres"):
            running = self.__dict__.pop(name, None)
            if running is not None:
                running.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _remove_leftovers() -> None:
    """Remove the folders of sessions that were killed: nobody holds their locks any more."""
    for folder in _TMP.glob(f"{_PREFIX}*"):
        if not folder.is_dir() or folder.stat().st_uid != os.geteuid():
            continue
        if time.time() - folder.stat().st_mtime < _SETTLED_AFTER:  # it may be about to take its lock
            continue
        held = [locked(place) for place in (folder, folder / "data") if place.is_dir()]
        if None not in held:
            shutil.rmtree(folder, ignore_errors=True)
        for lock in held:
            if lock is not None:
                os.close(lock)
