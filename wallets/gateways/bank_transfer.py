"""A transfer bank over HTTP: submit, which is taken on and settles later; look a transfer up by its key; webhooks tell."""

import json
from datetime import datetime
from functools import partial
from urllib.parse import quote

from wallets.gateway_port import GatewayConnection, Payable, RecipientHeard, RecipientQuery, RemoteRequest, Reply
from wallets.gateways import bank_answers
from wallets.gateways.bank_answers import TRANSFER
from wallets.gateways.exchange import LARGEST_ANSWER, exchanged, rfc3339, signed
from webhooks import outbound


class HttpBankTransfer:
    """POST /transfers and GET /transfers/{key}, each question signed."""

    knows_recipients = False

    def query(
        self, query: RecipientQuery, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> RecipientHeard:
        """Banks tell nothing beforehand: the receiver is who the caller names, and there is no network fee."""
        return RecipientHeard(Payable(lookup_ref="", receiver_name=query.details["name"]))

    def ask(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        not_after: datetime,
        timeout_seconds: float,
    ) -> Reply:
        """Submit the transfer, once. The body depends on nothing but the request: the same key has the same body."""
        content = {
            "bank_code": request.details["bank_code"],
            "account_number": request.details["account_number"],
            "name": request.details["name"],
            "amount": request.amount_text,
            "currency": request.asset,
            "reference": request.owner,
        }
        body = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        sent = outbound.OutboundRequest(
            method="POST",
            url=f"{connection.base_url.rstrip('/')}/transfers",
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
        return exchanged(sent, read=partial(bank_answers.read_submit, request, TRANSFER))

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
            url=f"{connection.base_url.rstrip('/')}/transfers/{quote(request.key, safe=':')}",
            environment=connection.environment,
            headers=signed(request.key, connection, request_id=request_id, body=b""),
            timeout=timeout_seconds,
            max_response_bytes=LARGEST_ANSWER,
        )
        return exchanged(sent, read=partial(bank_answers.read_lookup, request, TRANSFER))
