"""The published event types: each public topic, what it means, and the JSON Schema of its messages.

The floors above keep a file per family beside their code and register its folder in `AppConfig.ready()`. A file holds
what the family's topics share; the schema of one topic is made of it. Within a version a schema only grows: a receiver
that ignores members it does not know keeps working. A change that would break one is a new version of the family.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.controls.refusals import NotFound

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_IDS: Final = "https://holdfast.invalid/event-types/"
_EVENT_ID: Final = "^evt_[0-9a-z]{26}$"


@dataclass(frozen=True, slots=True)
class EventType:
    """One public topic. `shape` is the JSON Schema of its messages as they are delivered."""

    topic: str
    family: str
    version: int
    description: str
    shape: Mapping[str, Any]


_types: dict[str, EventType] = {}


def register(folder: Path) -> None:
    """Publish the event types of every file in a folder. The same file twice is one."""
    for path in sorted(folder.glob("*.json")):
        for event_type in read(json.loads(path.read_text(encoding="utf-8"))):
            _types[event_type.topic] = event_type


def read(family: Mapping[str, Any]) -> list[EventType]:
    """Return the event types of a family's file."""
    name, version = str(family["family"]), int(family["version"])
    return [
        EventType(
            topic=topic,
            family=name,
            version=version,
            description=description,
            shape=_shape(topic, version, description, family["data"]),
        )
        for topic, description in family["topics"].items()
    ]


def every() -> list[EventType]:
    """Return all published event types by topic."""
    return [_types[topic] for topic in sorted(_types)]


def named(topic: str) -> EventType:
    """Return one event type. Raises NotFound."""
    if topic not in _types:
        raise NotFound
    return _types[topic]


def is_wanted(topic: str) -> bool:
    """Tell whether an endpoint can ask for this: a published topic, or a family of them (`order.*`)."""
    family, dot, rest = topic.partition(".")
    return topic in _types or (rest == "*" and bool(dot) and any(one.family == family for one in _types.values()))


def _shape(topic: str, version: int, description: str, data: Mapping[str, Any]) -> dict[str, Any]:
    data = copy.deepcopy(dict(data))
    if "status" in data.get("properties", {}):
        data["properties"]["status"] = {"const": topic.partition(".")[2]}
    return {
        "$schema": DRAFT,
        "$id": f"{_IDS}{topic}/v{version}",
        "title": topic,
        "description": description,
        "type": "object",
        "required": ["type", "timestamp", "id", "environment", "data"],
        "properties": {
            "type": {"const": topic},
            "timestamp": {"type": "string", "format": "date-time", "description": "when it happened"},
            "id": {"type": "string", "pattern": _EVENT_ID, "description": "the webhook-id, the same in every attempt"},
            "environment": {"enum": ["test", "live"]},
            "data": data,
        },
    }
