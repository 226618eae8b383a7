"""``make lock``: compile the requirements with hashes, and without a word about where they come from.

The registry is the installing machine's own affair (its pip configuration), so no index address and no folder
of wheels may stand in a locked file.
"""

import os
import subprocess
import sys
from typing import Final

from config.local.places import ROOT

_LOCKED: Final = {"runtime": (), "development": ("--extra", "development")}


def compile_requirements() -> int:
    """Write requirements/runtime.txt and requirements/development.txt."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_FIND", "UV_INDEX"))
    }
    for name, extras in _LOCKED.items():
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *extras),
            *("--output-file", f"requirements/{name}.txt", "--upgrade", "--quiet"),
            *("--generate-hashes", "--universal", "--python-version", "3.11"),
            *("--no-config", "--no-emit-index-url", "--no-emit-find-links", "--no-emit-build-options"),
            *("--custom-compile-command", "make lock"),
        ]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        if done.returncode != 0:
            return done.returncode
        print(f"requirements/{name}.txt is renewed")
    return 0
