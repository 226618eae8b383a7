"""The environment of the running stack, for a shell and for single commands."""

import shlex
from collections.abc import Mapping
from pathlib import Path


def exports(environment: Mapping[str, str]) -> str:
    """Return lines that a shell reads with ``set -a; . FILE; set +a``."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items())


def read_exports(path: Path) -> dict[str, str]:
    """Return the variables of such a file."""
    pairs = (shlex.split(line)[0].partition("=") for line in path.read_text().splitlines() if line.strip())
    return {name: value for name, _, value in pairs}
