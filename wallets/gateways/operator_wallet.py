"""The operator's wallet service over HTTP, as docs/wallet-protocol.yaml describes it."""

import json
from datetime import datetime
from functools import partial

from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.gateways import operator_answers
from wallets.signed_questions import exchanged, to_look_up, to_post


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
        sent = to_post(
            request.leg,
            _body(request),
            connection=connection,
            message_id=request.key,
            request_id=request_id,
            timeout_seconds=timeout_seconds,
            not_after=not_after,
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
        sent = to_look_up(
            "operations", request.key, connection=connection, request_id=request_id, timeout_seconds=timeout_seconds
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
