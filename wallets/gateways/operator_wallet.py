"""The operator's wallet service over HTTP, as docs/wallet-protocol.yaml describes it."""

import json
from datetime import datetime
from functools import partial
from urllib.parse import quote

from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.gateways import operator_answers
from wallets.gateways.exchange import LARGEST_ANSWER, exchanged, rfc3339, signed
from webhooks import outbound


class HttpOperatorWallet:
    """POST /debit, /credit, /reverse and GET /operations/{idempotency_key}, each question signed."""

    def ask(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        not_after: datetime,
        timeout_seconds: float,
    ) -> Reply:
        """Ask once. The body depends on nothing but the request, so that the same key has the same body."""
        body = _body(request)
        sent = outbound.OutboundRequest(
            method="POST",
            url=f"{connection.base_url.rstrip('/')}/{request.leg}",
            environment=connection.environment,
            headers={
                "content-type": "application/json",
                "idempotency-key": request.key,
                "not-after": rfc3339(not_after),
                **signed(request.key, connection, request_id=request_id, body=body),
            },
            body=body,
            timeout=timeout_seconds,
            max_response_bytes=LARGEST_ANSWER,
        )
        return exchanged(sent, read=partial(operator_answers.read_ask, request))

    def look_up(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        timeout_seconds: float,
    ) -> Reply:
        """Ask what became of the key."""
        sent = outbound.OutboundRequest(
            method="GET",
            url=f"{connection.base_url.rstrip('/')}/operations/{quote(request.key, safe=':')}",
            environment=connection.environment,
            headers=signed(request.key, connection, request_id=request_id, body=b""),
            timeout=timeout_seconds,
            max_response_bytes=LARGEST_ANSWER,
        )
        return exchanged(sent, read=partial(operator_answers.read_lookup, request))


def _body(request: RemoteRequest) -> bytes:
    content = {
        "operation": request.leg,
        "asset": request.asset,
        "amount": request.amount_text,
        "user_reference": request.user_reference,
        "reference": request.owner,
        "metadata": dict(request.metadata),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
