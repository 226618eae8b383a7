"""Calls as an operator's server makes them: bytes through every middleware, and what came back."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.test import Client

_keys = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code; proves that it is one."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        told = self.json
        assert told["status"] == self.status
        assert told["type"].endswith(told["code"])
        assert told["request_id"]
        return str(told["code"])


@dataclass(frozen=True, slots=True)
class Api:
    """One API key's calls; without a key, a stranger's."""

    secret: str = ""

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: object = None, *, key: str | None = "", **headers: str) -> Answer:
        """Post a body as JSON. A key of "" is a fresh one, None is none."""
        sent = b"" if body is None else json.dumps(body).encode()
        return self.call("POST", path, sent, headers=self._with_key(key, headers))

    def patch(self, path: str, body: object = None) -> Answer:
        return self.call("PATCH", path, json.dumps(body or {}).encode())

    def delete(self, path: str, *, key: str | None = None) -> Answer:
        return self.call("DELETE", path, headers=self._with_key(key, {}))

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        sent |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        response = Client(raise_request_exception=False).generic(
            method, path, body, content_type=content_type, headers=sent
        )
        body = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
        return Answer(response.status_code, body, dict(response.items()))

    def _with_key(self, key: str | None, headers: Mapping[str, str]) -> dict[str, str]:
        if key is None:
            return dict(headers)
        return {**headers, "Idempotency-Key": key or f"key-{next(_keys)}"}


QUOTE: Mapping[str, Any] = {
    "pool_id": "EUR-USDT",
    "side": "buy",
    "source_asset": "EUR",
    "source_amount": "100.00",
    "user_reference": "alice",
    "firm": True,
}

WALLET: Mapping[str, Any] = {"kind": "user", "user_reference": "alice", "assets": ["EUR"]}


def quoted(api: Api, **changes: object) -> dict[str, Any]:
    """Ask for a firm quote and return it."""
    answer = api.post("/v1/quotes", {**QUOTE, **changes})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json
    return found


def ordered(api: Api, *, partner_order_id: str = "", key: str = "", **changes: object) -> dict[str, Any]:
    """Ask for a quote and submit an order on it; return the order."""
    quote = quoted(api, **changes)
    body = {"quote_id": quote["quote_id"], "partner_order_id": partner_order_id or f"shop-{next(_keys)}"}
    answer = api.post("/v1/orders", body, key=key)
    assert answer.status == 202, answer.body
    found: dict[str, Any] = answer.json
    return found


def transfer(payer: str, payee: str, amount: str = "10.00", asset: str = "EUR", **more: object) -> dict[str, Any]:
    """Return the body of a transfer."""
    return {"payer_wallet_id": payer, "payee_wallet_id": payee, "asset": asset, "amount": amount, **more}
