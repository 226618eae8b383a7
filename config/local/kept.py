"""What the bootstrap commands answered, kept for the next run: the test key, and each role's password."""

import json
from pathlib import Path
from typing import Any

from config.local.credentials import write_private


def keep(path: Path, answer: str) -> None:
    """Merge a command's JSON object into the kept file, which only its owner can read."""
    write_private(path, json.dumps(merged(read_kept(path), json.loads(answer or "{}")), indent=2) + "\n")


def read_kept(path: Path) -> dict[str, Any]:
    """Return what the commands answered so far."""
    return json.loads(path.read_text()) if path.exists() else {}


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return both, inner objects too; an empty new value does not hide an old one."""
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            result[key] = merged(before, value)
        elif value not in (None, "") or key not in result:
            result[key] = value
    return result
