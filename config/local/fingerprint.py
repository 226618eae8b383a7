"""What the database was last brought up with: as long as nothing of it changes, bringing it up again is skipped."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from config.local.places import ROOT

_SOURCES: Final = ("config/settings", "ledger", "webhooks", "wallets", "orders", "reconciliation")
_SUFFIXES: Final = (".py", ".sql", ".num")


def fingerprint(*, besides: Iterable[str]) -> str:
    """Return a hash of the sources, the locked packages, and what else the rows depend on."""
    digest = hashlib.sha256()
    for path in _files():
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for text in besides:
        digest.update(f"{text}\0".encode())
    return digest.hexdigest()


def _files() -> list[Path]:
    found = [ROOT / "requirements" / "runtime.txt"]
    for folder in _SOURCES:
        found += [path for path in (ROOT / folder).rglob("*") if path.suffix in _SUFFIXES]
    return sorted(found)
