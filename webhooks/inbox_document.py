"""The inbox in the OpenAPI document: it is no view of an API key's, so its page is written out here."""

from typing import Any, Final

from ledger.controls.rest import problems
from webhooks.inbox import NotReadable, NotVerified, TooLarge

PATH: Final = "/v1/inbox/{provider}"

_HEADERS: Final = {
    "webhook-id": "the provider's id of the event, the same at every attempt",
    "webhook-timestamp": "seconds of Unix time, of this attempt",
    "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` with the inbox's secret",
}


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Write the inbox's operation into the document. A hook of drf-spectacular."""
    result["paths"][PATH] = {"post": _operation()}
    return result


def _operation() -> dict[str, Any]:
    received = {
        "type": "object",
        "properties": {
            "received": {"type": "boolean", "const": True},
            "known": {"type": "boolean", "description": "true: an event of this id was stored before"},
        },
        "required": ["received", "known"],
    }
    return {
        "operationId": "receive_provider_event",
        "summary": "Receive provider event",
        "description": (
            "An event of a provider, such as an operator's wallet service. Verified by its signature over the raw body, "
            "without an API key; stored, and judged later. The headers are those of Standard Webhooks; a provider of "
            "another scheme sends its own."
        ),
        "tags": ["inbox"],
        "security": [],
        "parameters": [
            {
                "name": "provider",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"},
            },
            *(
                {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
                for name, about in _HEADERS.items()
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object", "additionalProperties": True}}},
        },
        "responses": {
            "200": _answer("Known already: stop sending it.", received),
            "202": _answer("Stored; work on it comes later.", received),
            **{
                str(refusal.status): _answer(
                    f"`{refusal.code}` {(refusal.__doc__ or '').strip()}",
                    {"$ref": "#/components/schemas/Problem"},
                    content_type=problems.CONTENT_TYPE,
                )
                for refusal in (NotReadable, NotVerified, TooLarge)
            },
            "503": _answer(
                f"`unavailable` {problems.TITLES['unavailable']}",
                {"$ref": "#/components/schemas/Problem"},
                content_type=problems.CONTENT_TYPE,
            ),
        },
    }


def _answer(description: str, schema: dict[str, Any], *, content_type: str = "application/json") -> dict[str, Any]:
    return {
        "description": description,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
        "content": {content_type: {"schema": schema}},
    }
