"""A PromptPay-style network over HTTP: query the recipient, confirm the transfer, look a confirmation up by its key."""

import json
from datetime import datetime
from functools import partial

from wallets.answer_bodies import excerpt
from wallets.gateway_port import (
    GatewayConnection,
    RecipientHeard,
    RecipientQuery,
    RemoteRequest,
    Reply,
    Unanswered,
)
from wallets.gateways import bank_answers
from wallets.gateways.bank_answers import PROMPTPAY
from wallets.signed_questions import Unheard, answered, exchanged, question_of, to_look_up, to_post


class HttpPromptPay:
    """POST /promptpay/query, POST /promptpay/confirm and GET /promptpay/confirmations/{key}, each question signed."""

    knows_recipients = True

    def query(
        self, query: RecipientQuery, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> RecipientHeard:
        """Ask who is paid under the proxy, and what the network takes for it."""
        body = _written(
            {
                "proxyType": query.details["proxy_type"],
                "proxyValue": query.details["proxy_value"],
                "amount": query.amount_text,
                "currency": query.asset,
            }
        )
        sent = to_post(
            "promptpay/query",
            body,
            connection=connection,
            message_id=f"{query.reference}:query",
            request_id=request_id,
            timeout_seconds=timeout_seconds,
        )
        question, answer = question_of(sent), answered(sent)
        if isinstance(answer, Unheard):
            unanswered = Unanswered(answer.cause, answer.sent)
            return RecipientHeard(unanswered, answer.http_status, question=question, excerpt=answer.excerpt)
        told = bank_answers.read_query(query, status=answer.status, body=answer.body)
        return RecipientHeard(told, answer.status, question=question, excerpt=excerpt(answer.body))

    def ask(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        not_after: datetime,
        timeout_seconds: float,
    ) -> Reply:
        """Confirm the transfer, once. The body depends on nothing but the request: the same key has the same body."""
        body = _written(
            {
                "lookupRef": request.details["lookup_ref"],
                "proxyType": request.details["proxy_type"],
                "proxyValue": request.details["proxy_value"],
                "amount": request.amount_text,
                "currency": request.asset,
                "reference": request.owner,
            }
        )
        sent = to_post(
            "promptpay/confirm",
            body,
            connection=connection,
            message_id=request.key,
            request_id=request_id,
            timeout_seconds=timeout_seconds,
            not_after=not_after,
        )
        return exchanged(sent, read=partial(bank_answers.read_submit, request, PROMPTPAY))

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
            "promptpay/confirmations",
            request.key,
            connection=connection,
            request_id=request_id,
            timeout_seconds=timeout_seconds,
        )
        return exchanged(sent, read=partial(bank_answers.read_lookup, request, PROMPTPAY))


def _written(content: dict[str, str]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
