"""The OpenAPI document: what every route has in common is written here, once, from what its view declares."""

from collections import defaultdict
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from ledger.controls import claims
from ledger.controls.refusals import Refusal
from ledger.controls.rest import bodies, problems
from ledger.controls.rest.idempotency import HEADER, REPLAYED, KeyRule
from ledger.controls.rest.scopes import MissingScope
from ledger.controls.rest.views import ApiView

_KEY_PATTERN = r"^[A-Za-z0-9._:-]{1,255}$"
_REQUEST_ID = {"$ref": "#/components/headers/RequestId"}


class Problem(serializers.Serializer[Any]):
    """An error, as RFC 9457 says. Branch on `code`; some problems carry further members."""

    type = serializers.URLField(help_text="the kind of problem")
    title = serializers.CharField(help_text="what kind of problem it is, for people")
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="stable; branch on it")
    request_id = serializers.CharField(help_text="tell it to support")
    detail = serializers.CharField(required=False, help_text="what is off with this request")
    errors = serializers.DictField(  # type: ignore[assignment]  # a field of that name
        child=serializers.ListField(child=serializers.CharField()), required=False, help_text="by request field"
    )


class Schema(AutoSchema):
    """Adds the Idempotency-Key, the problems and the request id to what drf-spectacular finds."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None or not isinstance(self.view, ApiView):
            return operation
        rule = self.view.key_rules.get(self.method)
        if rule is not None:
            operation.setdefault("parameters", []).append(_key_parameter(rule))
        operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
        scope = self.view.scopes.get(self.method)
        if scope is not None:
            operation["description"] = f"{operation.get('description', '')}\n\nScope: `{scope}`.".strip()
        for status, response in operation["responses"].items():
            response["headers"] = {"X-Request-Id": _REQUEST_ID}
            if rule is not None and status.startswith("2"):
                response["headers"][REPLAYED] = {"$ref": "#/components/headers/Replayed"}
        self._add_problems(operation)
        return operation

    def _is_create_operation(self) -> bool:
        """A POST answers 200 unless its view says 201 or 202: nothing is guessed."""
        return False

    def _add_problems(self, operation: dict[str, Any]) -> None:
        schema = self.resolve_serializer(Problem(), "response").ref
        for status, codes in sorted(self._problem_codes(operation).items()):
            operation["responses"][str(status)] = {
                "description": "\n".join(f"* `{code}` {title}" for code, title in sorted(codes.items())),
                "headers": {"X-Request-Id": _REQUEST_ID},
                "content": {
                    problems.CONTENT_TYPE: {
                        "schema": schema,
                        "examples": {code: {"value": _example(status, code, title)} for code, title in codes.items()},
                    }
                },
            }

    def _problem_codes(self, operation: dict[str, Any]) -> dict[int, dict[str, str]]:
        assert isinstance(self.view, ApiView)
        found: dict[int, dict[str, str]] = defaultdict(dict)

        def may(status: int, code: str) -> None:
            found[status][code] = problems.TITLES[code]

        def refuse(*refusals: type[Refusal]) -> None:
            for refusal in refusals:
                found[refusal.status][refusal.code] = (refusal.__doc__ or "").strip().splitlines()[0]

        may(400, "malformed")
        may(401, "not_authenticated")
        may(401, "authentication_failed")
        may(406, "not_acceptable")
        may(429, "throttled")
        may(500, "defect")
        may(503, "unavailable")
        refuse(bodies.BodyTooLarge, bodies.LengthRequired)
        if self.view.scopes.get(self.method) is not None:
            refuse(MissingScope)
        if "{" in self.path:
            may(404, "not_found")
        if "requestBody" in operation:
            may(415, "unsupported_media_type")
            refuse(bodies.MalformedJson)
        if (rule := self.view.key_rules.get(self.method)) is not None:
            refuse(claims.MalformedKey, claims.IdempotencyConflict, claims.InProgress)
            if rule is not KeyRule.OPTIONAL:
                refuse(claims.MissingKey)
        refuse(*self.view.refusals.get(self.method, ()))
        return found


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Write down what operations refer to: the headers of answers. A hook of drf-spectacular."""
    result["components"]["headers"] = {
        "RequestId": {
            "description": "The id that came in as X-Request-Id, or that was made. On every answer.",
            "schema": {"type": "string"},
        },
        "Replayed": {
            "description": "“true” when this is the first answer of the Idempotency-Key, given again.",
            "schema": {"type": "string", "enum": ["true"]},
        },
    }
    return result


def _key_parameter(rule: KeyRule) -> dict[str, Any]:
    description = (
        "One key is one effect and one answer, for ever: the same request again gets the first answer, byte for byte; "
        "another request gets 409."
    )
    if rule is KeyRule.OPTIONAL:
        description += " Optional here: the request is safe to repeat."
    elif rule is KeyRule.FOR_CHANGES:
        description += " Required, unless the request changes nothing (a price, a dry run)."
    return {
        "name": HEADER,
        "in": "header",
        "required": rule is KeyRule.REQUIRED,
        "description": description,
        "schema": {"type": "string", "pattern": _KEY_PATTERN, "minLength": 1, "maxLength": 255},
        "example": "order_123:accept:v1",
    }


def _example(status: int, code: str, title: str) -> dict[str, Any]:
    return {
        "type": problems.TYPE + code,
        "title": title,
        "status": status,
        "code": code,
        "request_id": "req_01kad00f8xm3v6y2q4t5n7w9bz",
    }
