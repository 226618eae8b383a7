"""How REST writes: compact JSON, RFC 3339 instants in UTC. An answer is rendered once, so that it can be kept."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse

CONTENT_TYPE = "application/json"


def render(body: Mapping[str, Any]) -> bytes:
    """Return the bytes of an answer. Money and rates are strings in it; a float or an infinity is a defect."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def answer(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return a JSON answer."""
    return HttpResponse(render(body), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))


def instant(moment: datetime) -> str:
    """Write an instant as REST carries it: 2026-01-31T12:00:00.000000Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)
