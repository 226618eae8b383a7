"""Secrets of the local stack: drawn once, kept in the ignored data folder, readable by its owner alone."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from config.local.roles import RolePasswords


@dataclass(frozen=True, slots=True)
class Credentials:
    """The passwords of the three roles and of Valkey, Django's key, and the key of the secrets in the database."""

    superuser: str
    owner: str
    application: str
    valkey: str
    secret_key: str
    secrets_key: str

    @property
    def roles(self) -> RolePasswords:
        """The passwords of the database roles."""
        return RolePasswords(superuser=self.superuser, owner=self.owner, application=self.application)


class CredentialsLost(RuntimeError):
    """The data folder has a database but not its passwords; run make reset."""


def credentials(path: Path, *, database_exists: bool) -> Credentials:
    """Return the kept credentials; draw and keep them when there are none and there is no database yet."""
    if path.exists():
        kept = json.loads(path.read_text())
        if "secrets_key" not in kept:  # kept by a version that encrypted nothing yet
            kept["secrets_key"] = _secrets_key()
            write_private(path, json.dumps(kept, indent=2) + "\n")
        return Credentials(**{field.name: kept[field.name] for field in fields(Credentials)})
    if database_exists:
        raise CredentialsLost(f"the database exists, but {path} is gone; run make reset")
    drawn = Credentials(
        superuser=secrets.token_urlsafe(24),
        owner=secrets.token_urlsafe(24),
        application=secrets.token_urlsafe(24),
        valkey=secrets.token_urlsafe(24),
        secret_key=secrets.token_urlsafe(48),
        secrets_key=_secrets_key(),
    )
    write_private(path, json.dumps(asdict(drawn), indent=2) + "\n")
    return drawn


def write_private(path: Path, content: str) -> None:
    """Replace a file whole; only its owner can read it at any moment."""
    replacement = path.with_name(f"{path.name}.new")
    replacement.unlink(missing_ok=True)
    descriptor = os.open(replacement, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    replacement.replace(path)


def _secrets_key() -> str:
    return secrets.token_urlsafe(32)
