"""Hold recorded public events against the schemas that are published for them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from ledger.controls import event_log
from ledger.models import Event
from webhooks import answers, event_types


@cache
def validator(topic: str) -> Draft202012Validator:
    """Return the strict reader of a topic: what its schema does not name is refused, though receivers must not."""
    return Draft202012Validator(closed(event_types.named(topic).shape), format_checker=FormatChecker())


def closed(schema: Any) -> Any:
    """Return the schema with no room for members that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in schema else inner


def topics_recorded() -> Iterator[str]:
    """Hold every public event that is recorded now against its schema; yield its topic."""
    ids = list(Event.objects.filter(public=True).values_list("pk", flat=True))
    for event in event_log.with_ids(ids).values():
        validator(event.topic).validate(answers.event(event))
        yield event.topic
