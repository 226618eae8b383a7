"""A migrated cluster that one test session leaves for the next: the same migrations are run once, then copied.

What the migrations run is named by a digest, so that a changed one has a cluster of its own. The reference rows are not
in it: every session loads them.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from config.local.postgres_process import locked

_ROOT: Final = Path(__file__).resolve().parent.parent
_TMP: Final = Path("/tmp")
_PREFIX: Final = "hf-kept-"
_AT_MOST: Final = 12
_WHAT_MIGRATIONS_RUN: Final = (
    *("*/migrations/*.py", "*/sql/**/*", "ledger/controls/**/*.py", "config/local/*.py", "config/settings/*.py"),
    *("requirements/development.txt", "tests/kept_cluster.py", "tests/servers.py"),
)


def superuser_password() -> str:
    """Return the kept cluster's, or a new one where none is kept."""
    secret = _place() / "password"
    return secret.read_text(encoding="ascii") if _is_whole() else secrets.token_hex(12)


def copy_to(data: Path, *, password: str) -> bool:
    """Make the data folder a copy of the kept cluster's; false where none is kept whose superuser has this password.

    Another session may have kept its own since this one has drawn a password.
    """
    if not _is_whole() or superuser_password() != password:
        return False
    os.utime(_place())
    subprocess.run(["cp", "-a", "--", str(_place() / "data"), str(data)], check=True, timeout=120)
    return True


def keep(data: Path, *, password: str) -> None:
    """Keep a copy of a stopped cluster, unless one is kept already."""
    if _place().exists():
        return
    unfinished = Path(f"{_place()}.{secrets.token_hex(4)}")
    unfinished.mkdir(mode=0o711)
    try:
        secret = unfinished / "password"
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="ascii")
        subprocess.run(["cp", "-a", "--", str(data), str(unfinished / "data")], check=True, timeout=120)
        unfinished.rename(_place())
    except OSError:  # another session was first
        shutil.rmtree(unfinished, ignore_errors=True)
    _forget_the_oldest()


def _is_whole() -> bool:
    """Whether one is kept, by us: what lies in a folder that everybody may write to may be anybody's."""
    place = _place()
    return place.is_dir() and place.stat().st_uid == os.geteuid() and (place / "data" / "PG_VERSION").exists()


@cache
def _place() -> Path:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _WHAT_MIGRATIONS_RUN for path in _ROOT.glob(pattern)}):
        if path.is_file() and "__pycache__" not in path.parts and ".venv" not in path.parts:
            digest.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return _TMP / f"{_PREFIX}{os.geteuid()}-{digest.hexdigest()[:24]}"


def _forget_the_oldest() -> None:
    kept = sorted(_TMP.glob(f"{_PREFIX}{os.geteuid()}-*"), key=lambda place: place.stat().st_mtime, reverse=True)
    for place in kept[_AT_MOST:]:
        lock = locked(place)
        if lock is not None:
            shutil.rmtree(place, ignore_errors=True)
            os.close(lock)
