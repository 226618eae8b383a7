"""Examples in the OpenAPI document: what a request carries and what its answer looks like. A hook of drf-spectacular.

`bodies.json` and `answers.json` hold them by operation id; the answers were given by the local stack, lists cut to a row.
"""

import json
from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).parent
_JSON: Final = "application/json"


def add(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Write the examples beside the schemas that they follow."""
    bodies, answers = _kept("bodies.json"), _kept("answers.json")
    for path in result["paths"].values():
        for operation in path.values():
            name = operation["operationId"]
            if name in bodies:
                operation["requestBody"]["content"][_JSON]["example"] = bodies[name]
            for status, answer in answers.get(name, {}).items():
                operation["responses"][status]["content"][_JSON]["example"] = answer
    return result


def _kept(name: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((_HERE / name).read_text())
    return kept
