"""A transfer bank over HTTP: submit, which is taken on and settles later; look a transfer up by its key; webhooks tell."""

import json
from datetime import datetime
from functools import partial

from wallets.gateway_port import GatewayConnection, Payable, RecipientHeard, RecipientQuery, RemoteRequest, Reply
from wallets.gateways import bank_answers
from wallets.gateways.bank_answers import TRANSFER
from wallets.signed_questions import exchanged, to_look_up, to_post


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
        sent = to_post(
            "transfers",
            body,
            connection=connection,
            message_id=request.key,
            request_id=request_id,
            timeout_seconds=timeout_seconds,
            not_after=not_after,
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
        sent = to_look_up(
            "transfers", request.key, connection=connection, request_id=request_id, timeout_seconds=timeout_seconds
        )
        return exchanged(sent, read=partial(bank_answers.read_lookup, request, TRANSFER))
